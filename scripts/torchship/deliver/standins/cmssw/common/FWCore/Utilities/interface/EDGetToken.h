// Stand-ins: what a module reads and writes products by.
#ifndef FWCore_Utilities_EDGetToken_h
#define FWCore_Utilities_EDGetToken_h

#include <string>

namespace edm {

template <typename T>
struct EDGetTokenT {
  std::string label;
};

template <typename T>
struct EDPutTokenT {
  std::string label;
};

}  // namespace edm

#endif
