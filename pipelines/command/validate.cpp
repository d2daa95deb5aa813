#include <fmt/format.h>

#include <string>
#include <vector>

#include "framework/error.hpp"
#include "framework/report.hpp"
#include "nodes/stores/open_file.hpp"
#include "nodes/stores/url.hpp"
#include "nodes/tiff/cog_check.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/http_settings.hpp"
#include "pipelines/command/zarr_input.hpp"

namespace weir::command {
namespace {

struct ValidateOptions {
  std::vector<std::string> paths;
  bool as_json = false, strict = false, decode = false;
  HttpSettings http;
};

/// What is wrong with one file. Every format has a check of its own; which one is asked is decided here.
FileCheck check_file(const std::string& path, const ValidateOptions& options, const std::stop_token& stop) {
  if (is_zarr(path)) return check_zarr_input(path, options.http.options(), options.decode, stop);
  CogCheckOptions cog;
  cog.decode = options.decode;
  std::shared_ptr<const ReadableFile> file;
  try {
    file = open_readable(path, options.http.options());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::failed) throw;
    FileCheck check("COG", cog.listed);
    check.error("unreadable-file", "", error.reason());
    return check;
  }
  return check_cog(file, cog, FileSystem::real(), stop);
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// As compilers have it, and the verdict last.
void print_text(const std::string& path, const FileCheck& check, bool strict) {
  for (const FileProblem& problem : check.problems()) {
    std::string place = problem.where;
    if (!problem.item.empty()) place += (place.empty() ? "" : ", ") + problem.item;
    fmt::print("{}: {}: {}{}{} [{}]\n", path, name_of(problem.severity), place, place.empty() ? "" : ": ",
               problem.text, problem.name);
    if (problem.more > 0) fmt::print("{}: ... and {} more [{}]\n", path, problem.more, problem.name);
  }
  for (const std::string& note : check.notes()) fmt::print("{}: note: {}\n", path, note);
  std::string counts;
  if (check.errors() > 0) counts += ": " + counted(check.errors(), "error");
  if (check.warnings() > 0) counts += (counts.empty() ? ": " : ", ") + counted(check.warnings(), "warning");
  fmt::print("{}: {} valid {}{}\n", path, check.is_valid(strict) ? "a" : "not a", check.kind(), counts);
}

std::string to_json(const std::string& path, const FileCheck& check, bool strict) {
  std::string json = fmt::format(
      "{{\"file\": {}, \"kind\": {}, \"valid\": {}, \"errors\": {}, \"warnings\": {},\n", json_string(path),
      json_string(check.kind()), check.is_valid(strict), check.errors(), check.warnings());
  json += "  \"notes\": [";
  for (const std::string& note : check.notes())
    json += (&note == check.notes().data() ? "" : ", ") + json_string(note);
  json += "], \"problems\": [";
  for (const FileProblem& problem : check.problems())
    json += fmt::format(
        "{}\n    {{\"severity\": \"{}\", \"name\": {}, \"where\": {}, \"item\": {}, \"text\": {}, \"more\": "
        "{}}}",
        &problem == check.problems().data() ? "" : ",", name_of(problem.severity), json_string(problem.name),
        json_string(problem.where), json_string(problem.item), json_string(problem.text), problem.more);
  return json + "]}";
}

/// Looks at every file, whatever the ones before are.
void validate(const ValidateOptions& options, const std::stop_token& stop) {
  std::uint64_t invalid = 0;
  std::string bad;
  if (options.as_json) fmt::print("[");
  for (const std::string& given : options.paths) {
    const std::string path = shown_path(given);
    const FileCheck check = check_file(given, options, stop);
    if (options.as_json)
      fmt::print("{}{}", &given == options.paths.data() ? "" : ",\n ", to_json(path, check, options.strict));
    else
      print_text(path, check, options.strict);
    if (check.is_valid(options.strict)) continue;
    ++invalid;
    bad = path;
  }
  if (options.as_json) fmt::print("]\n");
  if (invalid == 0) return;
  std::fflush(stdout);
  throw Error("accept", invalid == 1 ? bad : fmt::format("{} of {} files", invalid, options.paths.size()),
              "what is wrong is listed above");
}

}  // namespace

Action add_validate(CLI::App& app) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* validate_command =
      app.add_subcommand("validate", "Say all that is wrong with COGs and Zarr arrays");
  validate_command
      ->add_option("FILE", options->paths, "Cloud Optimized GeoTIFF files, PATH.zarr[/NODE], or their URLs")
      ->required();
  validate_command->add_flag("--strict", options->strict, "Take warnings for errors");
  validate_command->add_flag("--decode", options->decode,
                             "Decode every tile of every level, every chunk as well");
  validate_command->add_flag("--json", options->as_json, "Print JSON, for programs");
  options->http.add_to(*validate_command);
  return [options, validate_command](const std::stop_token& stop) {
    if (validate_command->parsed()) validate(*options, stop);
  };
}

}  // namespace weir::command
