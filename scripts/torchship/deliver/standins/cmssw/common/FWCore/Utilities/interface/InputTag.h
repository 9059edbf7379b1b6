// A stand-in: the label of a product.
#ifndef FWCore_Utilities_InputTag_h
#define FWCore_Utilities_InputTag_h

#include <string>
#include <utility>

namespace edm {

class InputTag {
public:
  InputTag() = default;
  InputTag(std::string label, std::string instance = "") : label_(std::move(label)), instance_(std::move(instance)) {}
  InputTag(const char* label) : InputTag(std::string(label)) {}

  const std::string& label() const { return label_; }
  const std::string& instance() const { return instance_; }

private:
  std::string label_, instance_;
};

}  // namespace edm

#endif
