// A file that is open in ONNX Runtime, for the stand-ins of both generations of cms::Ort::ONNXRuntime.
#ifndef TORCHSHIP_STANDINS_SESSION_H
#define TORCHSHIP_STANDINS_SESSION_H

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "FWCore/Utilities/interface/Exception.h"
#include "torchship/onnxruntime_c.h"

namespace torchship::standins {

inline const Api& api() {
  static const Api* const found = OrtGetApiBase()->api(1);
  return *found;
}

// Throws what ONNX Runtime says, if it says something.
inline void require(Status* status) {
  if (status == nullptr) return;
  const std::string message = api().message(status);
  api().release_status(status);
  throw cms::Exception("ONNXRuntime") << message;
}

template <typename Handle, void (*Api::*Release)(Handle*)>
struct Releaser {
  void operator()(Handle* handle) const { (api().*Release)(handle); }
};
template <typename Handle, void (*Api::*Release)(Handle*)>
using Owned = std::unique_ptr<Handle, Releaser<Handle, Release>>;

using OwnedValue = Owned<Value, &Api::release_value>;

// An input or output: -1 in its shape where an axis is dynamic.
struct Port {
  std::string name;
  int element = 0;
  std::vector<std::int64_t> shape;
};

class OpenFile {
public:
  // One thread for each call, as CMSSW's default has it.
  explicit OpenFile(const std::string& path) {
    SessionOptions* made = nullptr;
    require(api().create_session_options(&made));
    const Owned<SessionOptions, &Api::release_session_options> options(made);
    require(api().set_intra_op_threads(made, 1));
    Session* session = nullptr;
    require(api().create_session(env(), path.c_str(), made, &session));
    session_.reset(session);
    inputs_ = ports(api().input_count, api().input_name, api().input_type);
    outputs_ = ports(api().output_count, api().output_name, api().output_type);
  }

  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }

  static OwnedValue tensor_of(std::vector<float>& data, const std::vector<std::int64_t>& shape) {
    MemoryInfo* made = nullptr;
    require(api().cpu_memory(arena, memory_default, &made));
    const Owned<MemoryInfo, &Api::release_memory> memory(made);
    Value* value = nullptr;
    require(api().tensor_with_data(made, data.data(), data.size() * sizeof(float), shape.data(), shape.size(),
                                   element_float, &value));
    return OwnedValue(value);
  }

  // Runs it; an output that is null is allocated.
  void run(const std::vector<OwnedValue>& inputs, const std::vector<std::string>& output_names,
           std::vector<OwnedValue>& outputs) const {
    std::vector<const char*> in, out;
    std::vector<const Value*> values;
    std::vector<Value*> results;
    for (const Port& port : inputs_) in.push_back(port.name.c_str());
    for (const std::string& name : output_names) out.push_back(name.c_str());
    for (const OwnedValue& value : inputs) values.push_back(value.get());
    for (const OwnedValue& value : outputs) results.push_back(value.get());
    require(api().run(session_.get(), nullptr, in.data(), values.data(), in.size(), out.data(), out.size(),
                      results.data()));
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (!outputs[i]) outputs[i].reset(results[i]);
  }

private:
  static const Env* env() {
    static const Owned<Env, &Api::release_env> owned = [] {
      Env* made = nullptr;
      require(api().create_env(log_error, "standin", &made));
      return Owned<Env, &Api::release_env>(made);
    }();
    return owned.get();
  }

  template <typename Count, typename Name, typename Type>
  std::vector<Port> ports(Count count, Name name, Type type) const {
    std::size_t number = 0;
    require(count(session_.get(), &number));
    Allocator* allocator = nullptr;
    require(api().default_allocator(&allocator));
    std::vector<Port> found(number);
    for (std::size_t i = 0; i < number; ++i) {
      char* text = nullptr;
      require(name(session_.get(), i, allocator, &text));
      found[i].name = text;
      require(api().free(allocator, text));
      TypeInfo* made = nullptr;
      require(type(session_.get(), i, &made));
      const Owned<TypeInfo, &Api::release_type> owned(made);
      const TensorInfo* info = nullptr;
      require(api().tensor_info_of_type(made, &info));
      std::size_t rank = 0;
      require(api().element_type(info, &found[i].element));
      require(api().rank(info, &rank));
      found[i].shape.resize(rank);
      require(api().shape(info, found[i].shape.data(), rank));
    }
    return found;
  }

  Owned<Session, &Api::release_session> session_;
  std::vector<Port> inputs_, outputs_;
};

// Inputs as tensors in the order of the file.
inline std::vector<OwnedValue> tensors(const OpenFile& file, const std::vector<std::string>& names,
                                       std::vector<std::vector<float>>& values,
                                       const std::vector<std::vector<std::int64_t>>& shapes, std::int64_t batch) {
  std::vector<OwnedValue> found;
  for (const Port& port : file.inputs()) {
    std::size_t place = 0;
    while (place < names.size() && names[place] != port.name) ++place;
    if (place == names.size()) throw cms::Exception("RuntimeError") << "Input " << port.name << " is not provided!";
    // Where shapes are given they say the batch as well.
    std::vector<std::int64_t> shape = shapes.empty() ? port.shape : shapes.at(place);
    if (shapes.empty()) shape.at(0) = batch;
    std::int64_t expected = 1;
    for (const std::int64_t size : shape) expected *= size;
    const std::int64_t size = static_cast<std::int64_t>(values[place].size());
    if (size != expected)
      throw cms::Exception("RuntimeError")
          << "Input array " << port.name << " has a wrong size of " << size << ", expected " << expected;
    found.push_back(OpenFile::tensor_of(values[place], shape));
  }
  return found;
}

}  // namespace torchship::standins

#endif
