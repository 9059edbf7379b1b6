// A stand-in: a producer of which each stream has its own, and all have one cache.
#ifndef FWCore_Framework_stream_EDProducer_h
#define FWCore_Framework_stream_EDProducer_h

#include "FWCore/Framework/interface/Event.h"
#include "FWCore/ParameterSet/interface/ParameterSet.h"

namespace edm {

template <typename T>
struct GlobalCache {
  using Type = T;
};

namespace stream {

template <typename Ability>
class EDProducer {
public:
  using Cache = typename Ability::Type;

  virtual ~EDProducer() = default;
  virtual void produce(Event&, const EventSetup&) = 0;

  // What the framework does for a module that is made.
  void share(const Cache* cache) { cache_ = cache; }

protected:
  const Cache* globalCache() const { return cache_; }

  template <typename T>
  EDGetTokenT<T> consumes(const InputTag& tag) {
    return {tag.instance().empty() ? tag.label() : tag.label() + ":" + tag.instance()};
  }

  template <typename T>
  EDPutTokenT<T> produces(const std::string& instance = "") {
    return {instance};
  }

private:
  const Cache* cache_ = nullptr;
};

}  // namespace stream
}  // namespace edm

#endif
