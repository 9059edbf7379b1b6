// A stand-in: parameters by name.
#ifndef FWCore_ParameterSet_ParameterSet_h
#define FWCore_ParameterSet_ParameterSet_h

#include <any>
#include <map>
#include <string>

#include "FWCore/ParameterSet/interface/FileInPath.h"
#include "FWCore/Utilities/interface/Exception.h"
#include "FWCore/Utilities/interface/InputTag.h"

namespace edm {

class ParameterSet {
public:
  template <typename T>
  T getParameter(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) throw cms::Exception("Configuration") << "there is no parameter " << name;
    return std::any_cast<T>(found->second);
  }

  template <typename T>
  void addParameter(const std::string& name, const T& value) {
    values_[name] = value;
  }

private:
  std::map<std::string, std::any> values_;
};

}  // namespace edm

#endif
