// The part of ONNX Runtime's C interface that the stand-ins use, as a table of functions in the order of its version 1,
// which later versions only append to. Written from its documentation; wheels have the library, but no headers.
#ifndef TORCHSHIP_STANDINS_ONNXRUNTIME_C_H
#define TORCHSHIP_STANDINS_ONNXRUNTIME_C_H

#include <cstddef>
#include <cstdint>

namespace torchship::standins {

// Handles, whatever they are of.
struct Status;
struct Env;
struct Session;
struct SessionOptions;
struct Allocator;
struct TypeInfo;
struct TensorInfo;
struct MemoryInfo;
struct Value;

constexpr int element_float = 1, tensor = 1, arena = 1, memory_default = 0, log_error = 3;

using Unused = void (*)();

struct Api {
  Unused create_status[2];
  const char* (*message)(const Status*);  // 2
  Status* (*create_env)(int level, const char* id, Env** out);
  Unused env_with_logger[3];
  Status* (*create_session)(const Env*, const char* path, const SessionOptions*, Session** out);  // 7
  Unused session_from_array;
  Status* (*run)(Session*, const void* options, const char* const* input_names, const Value* const* inputs,
                 std::size_t input_count, const char* const* output_names, std::size_t output_count,
                 Value** outputs);                            // 9
  Status* (*create_session_options)(SessionOptions** out);    // 10
  Unused options[13];
  Status* (*set_intra_op_threads)(SessionOptions*, int);      // 24
  Unused more_options[5];
  Status* (*input_count)(const Session*, std::size_t* out);   // 30
  Status* (*output_count)(const Session*, std::size_t* out);
  Unused initializer_count;
  Status* (*input_type)(const Session*, std::size_t, TypeInfo** out);  // 33
  Status* (*output_type)(const Session*, std::size_t, TypeInfo** out);
  Unused initializer_type;
  Status* (*input_name)(const Session*, std::size_t, Allocator*, char** out);  // 36
  Status* (*output_name)(const Session*, std::size_t, Allocator*, char** out);
  Unused run_options[11];
  Status* (*tensor_with_data)(const MemoryInfo*, void* data, std::size_t bytes, const std::int64_t* shape,
                              std::size_t rank, int element, Value** out);  // 49
  Unused is_tensor;
  Status* (*tensor_data)(Value*, void** out);  // 51
  Unused strings[3];
  Status* (*tensor_info_of_type)(const TypeInfo*, const TensorInfo** out);  // 55
  Unused kind_of_type[4];
  Status* (*element_type)(const TensorInfo*, int* out);  // 60
  Status* (*rank)(const TensorInfo*, std::size_t* out);
  Status* (*shape)(const TensorInfo*, std::int64_t* sizes, std::size_t rank);
  Unused symbolic;
  Status* (*element_count)(const TensorInfo*, std::size_t* out);  // 64
  Status* (*tensor_info_of_value)(const Value*, TensorInfo** out);
  Unused types_of_value[3];
  Status* (*cpu_memory)(int allocator, int memory, MemoryInfo** out);  // 69
  Unused memory[6];
  Status* (*free)(Allocator*, void*);  // 76
  Unused allocator_info;
  Status* (*default_allocator)(Allocator** out);  // 78
  Unused values_and_kernels[13];
  void (*release_env)(Env*);  // 92
  void (*release_status)(Status*);
  void (*release_memory)(MemoryInfo*);
  void (*release_session)(Session*);
  void (*release_value)(Value*);
  Unused release_run_options;
  void (*release_type)(TypeInfo*);  // 98
  void (*release_tensor_info)(TensorInfo*);
  void (*release_session_options)(SessionOptions*);
};

static_assert(offsetof(Api, release_session_options) == 100 * sizeof(Unused), "a function is at another place");

struct ApiBase {
  const Api* (*api)(std::uint32_t version);
  const char* (*version)();
};

}  // namespace torchship::standins

extern "C" const torchship::standins::ApiBase* OrtGetApiBase() noexcept;

#endif
