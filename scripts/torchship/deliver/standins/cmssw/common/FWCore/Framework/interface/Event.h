// A stand-in: products by label, of a module's own instance names where it puts them.
#ifndef FWCore_Framework_Event_h
#define FWCore_Framework_Event_h

#include <any>
#include <map>
#include <string>
#include <utility>

#include "FWCore/Utilities/interface/EDGetToken.h"
#include "FWCore/Utilities/interface/Exception.h"

namespace edm {

class EventSetup {};

class Event {
public:
  template <typename T>
  const T& get(const EDGetTokenT<T>& token) const {
    const auto found = products.find(token.label);
    if (found == products.end()) throw cms::Exception("ProductNotFound") << "there is no product " << token.label;
    return std::any_cast<const T&>(found->second);
  }

  template <typename T>
  void emplace(const EDPutTokenT<T>& token, T value) {
    products[token.label] = std::move(value);
  }

  std::map<std::string, std::any> products;
};

}  // namespace edm

#endif
