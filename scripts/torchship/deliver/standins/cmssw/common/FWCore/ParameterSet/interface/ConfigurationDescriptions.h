// A stand-in: the descriptions of a plugin; here the last one.
#ifndef FWCore_ParameterSet_ConfigurationDescriptions_h
#define FWCore_ParameterSet_ConfigurationDescriptions_h

#include "FWCore/ParameterSet/interface/ParameterSetDescription.h"

namespace edm {

class ConfigurationDescriptions {
public:
  void addWithDefaultLabel(const ParameterSetDescription& description) { last = description; }

  ParameterSetDescription last;
};

}  // namespace edm

#endif
