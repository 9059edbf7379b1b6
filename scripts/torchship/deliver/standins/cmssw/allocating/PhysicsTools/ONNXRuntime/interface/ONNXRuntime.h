// A stand-in for the older generation of cms::Ort::ONNXRuntime: ONNX Runtime allocates the outputs, and what they hold is
// read as float, whatever it is. With TORCHSHIP_NO_INPUT_SHAPES as the oldest series have it: run() takes no shapes.
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

#ifdef TORCHSHIP_NO_INPUT_SHAPES
  FloatArrays run(const std::vector<std::string>& names, FloatArrays& values,
                  const std::vector<std::string>& outputs = {}, std::int64_t batch = 1) const {
    return evaluated(names, values, {}, outputs, batch);
  }
#else
  FloatArrays run(const std::vector<std::string>& names, FloatArrays& values,
                  const std::vector<std::vector<std::int64_t>>& shapes = {},
                  const std::vector<std::string>& outputs = {}, std::int64_t batch = 1) const {
    return evaluated(names, values, shapes, outputs, batch);
  }
#endif

  const std::vector<std::string>& getOutputNames() const { return names_; }

private:
  FloatArrays evaluated(const std::vector<std::string>& names, FloatArrays& values,
                        const std::vector<std::vector<std::int64_t>>& shapes, const std::vector<std::string>& outputs,
                        std::int64_t batch) const {
    using namespace torchship::standins;
    const std::vector<OwnedValue> inputs = tensors(file_, names, values, shapes, batch);
    const std::vector<std::string>& wanted = outputs.empty() ? names_ : outputs;
    std::vector<OwnedValue> results(wanted.size());
    file_.run(inputs, wanted, results);
    FloatArrays found;
    for (const OwnedValue& result : results) {
      TensorInfo* made = nullptr;
      require(api().tensor_info_of_value(result.get(), &made));
      const Owned<TensorInfo, &Api::release_tensor_info> info(made);
      std::size_t count = 0;
      require(api().element_count(made, &count));
      void* data = nullptr;
      require(api().tensor_data(result.get(), &data));
      found.emplace_back(static_cast<float*>(data), static_cast<float*>(data) + count);
    }
    return found;
  }

  torchship::standins::OpenFile file_;
  std::vector<std::string> names_;
};

}  // namespace cms::Ort

#endif
