// A stand-in for the newer generation of cms::Ort::ONNXRuntime, since March 2026: it works the outputs' sizes out before
// the call, and throws where an output is not float, or has a further dynamic axis.
#ifndef PhysicsTools_ONNXRuntime_ONNXRuntime_h
#define PhysicsTools_ONNXRuntime_ONNXRuntime_h

#include "torchship/session.h"

namespace cms::Ort {

using FloatArrays = std::vector<std::vector<float>>;

class ONNXRuntime {
public:
  explicit ONNXRuntime(const std::string& path) : file_(path) {
    for (const auto& port : file_.outputs()) names_.push_back(port.name);
  }
  ONNXRuntime(const ONNXRuntime&) = delete;
  ONNXRuntime& operator=(const ONNXRuntime&) = delete;

  FloatArrays run(const std::vector<std::string>& names, FloatArrays& values,
                  const std::vector<std::vector<std::int64_t>>& shapes = {},
                  const std::vector<std::string>& outputs = {}, std::int64_t batch = 1) const {
    FloatArrays found;
    runInto(names, values, shapes, outputs, found, {}, batch);
    return found;
  }

  void runInto(const std::vector<std::string>& names, FloatArrays& values,
               const std::vector<std::vector<std::int64_t>>& shapes, const std::vector<std::string>& outputs,
               FloatArrays& found, const std::vector<std::vector<std::int64_t>>& output_shapes = {},
               std::int64_t batch = 1) const {
    using namespace torchship::standins;
    const std::vector<OwnedValue> inputs = tensors(file_, names, values, shapes, batch);
    const std::vector<std::string>& wanted = outputs.empty() ? names_ : outputs;
    found.resize(wanted.size());
    std::vector<OwnedValue> results;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Port& port = named(wanted[i]);
      if (port.element != element_float)
        throw cms::Exception("RuntimeError") << "Output " << port.name << " is not float";
      std::vector<std::int64_t> shape = output_shapes.empty() ? port.shape : output_shapes.at(i);
      shape.at(0) = batch;
      std::size_t count = 1;
      for (const std::int64_t size : shape) {
        if (size < 0)
          throw cms::Exception("RuntimeError")
              << "Output " << port.name << " has a dynamic axis: pass output_shapes to runInto()";
        count *= static_cast<std::size_t>(size);
      }
      found[i].resize(count);
      results.push_back(OpenFile::tensor_of(found[i], shape));
    }
    file_.run(inputs, wanted, results);
  }

  const std::vector<std::string>& getOutputNames() const { return names_; }

private:
  const torchship::standins::Port& named(const std::string& name) const {
    for (const auto& port : file_.outputs())
      if (port.name == name) return port;
    throw cms::Exception("RuntimeError") << "Output name " << name << " is invalid!";
  }

  torchship::standins::OpenFile file_;
  std::vector<std::string> names_;
};

}  // namespace cms::Ort

#endif
