// What a recording costs: the CPU seconds of the same zstd-3 write with and without one, in turns, and what it
// costs to make a page and a trace of it.
//   recording_bench [ROUNDS] [SIDE] [OUT.tif]

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "framework/machine.hpp"
#include "framework/recording.hpp"
#include "framework/report_page.hpp"
#include "framework/trace.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "pipelines/write_geotiff.hpp"

namespace {

using namespace weir;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 21;
  TerrainOptions terrain;
  terrain.width = terrain.height = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 8192;
  terrain.type = SampleType::uint16;
  const std::string path = argc > 3 ? argv[3] : "/dev/shm/recording_bench.tif";
  const auto source = std::make_shared<const TerrainSource>(terrain);

  std::vector<double> cpu[2], ratios, page_cpu, trace_cpu;
  for (int i = 0; i < rounds; ++i) {
    double both[2] = {};
    // Whoever comes first finds the caches cold: they take turns in that, too.
    for (const int recorded : {i % 2, 1 - i % 2}) {
      RunRecording recording;
      WriteGeotiffOptions options;
      options.codec = {.id = CodecId::zstd, .level = 3};
      options.overwrite = true;
      options.graph.threads = 2;
      if (recorded != 0) options.graph.recording = &recording;
      const RunReport report = write_geotiff(source, path, options);
      cpu[recorded].push_back(report.cpu_seconds);
      both[recorded] = report.cpu_seconds;
      if (recorded == 0) continue;
      double before = process_cpu_seconds();
      const std::size_t page = to_html(report, recording, "bench").size();
      page_cpu.push_back(process_cpu_seconds() - before);
      before = process_cpu_seconds();
      const std::size_t trace = to_trace(report, recording, "bench").size();
      trace_cpu.push_back(process_cpu_seconds() - before);
      if (i == 0) fmt::print("page {} KB, trace {} KB\n", page / 1000, trace / 1000);
    }
    ratios.push_back(both[1] / both[0]);
  }
  std::remove(path.c_str());
  fmt::print("CPU seconds, median of {} in turns: {:.4f} without, {:.4f} with a recording\n", rounds,
             median(cpu[0]), median(cpu[1]));
  fmt::print(
      "with / without: medians {:+.2f} %, median of the pairs {:+.2f} %, smallest {:+.2f} %\n",
      (median(cpu[1]) / median(cpu[0]) - 1) * 100, (median(ratios) - 1) * 100,
      (*std::min_element(cpu[1].begin(), cpu[1].end()) / *std::min_element(cpu[0].begin(), cpu[0].end()) -
       1) *
          100);
  fmt::print("afterwards: page {:.1f} ms, trace {:.1f} ms of CPU\n", median(page_cpu) * 1000,
             median(trace_cpu) * 1000);
  return 0;
}
