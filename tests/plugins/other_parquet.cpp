// No plugin: in the place of libweir_parquet.so, as if from another build of Weir. For command_parquet_test.cpp.
extern "C" __attribute__((visibility("default"))) const void* weir_parquet_module() {
  static const char* const module[] = {"Weir 0.0.1"};
  return module;
}
