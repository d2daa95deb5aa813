// A user of weir::framework alone.
#include <cstdio>
#include <memory>
#include <weir/framework/budget.hpp>
#include <weir/framework/build_info.hpp>

int main() {
  auto budget = std::make_shared<weir::Budget>(100);
  auto lease = budget->try_take(60);
  if (!lease || budget->try_take(60)) return 1;
  lease->give_back();
  std::printf("weir %s: budget of %llu bytes, peak %llu\n", weir::build_info::version.data(),
              static_cast<unsigned long long>(budget->limit()),
              static_cast<unsigned long long>(budget->peak()));
  return budget->in_use() == 0 && budget->peak() == 60 ? 0 : 1;
}
