// A stand-in: what parameters a module takes, with their defaults.
#ifndef FWCore_ParameterSet_ParameterSetDescription_h
#define FWCore_ParameterSet_ParameterSetDescription_h

#include <string>

#include "FWCore/ParameterSet/interface/ParameterSet.h"

namespace edm {

struct ParameterDescriptionNode {
  ParameterDescriptionNode* operator->() { return this; }
  void setComment(const std::string&) {}
};

class ParameterSetDescription {
public:
  template <typename T>
  ParameterDescriptionNode add(const std::string& name, const T& value) {
    defaults.addParameter(name, value);
    return {};
  }

  ParameterSet defaults;
};

}  // namespace edm

#endif
