// A stand-in: a plugin of one's own type is what the test of it makes by name.
#ifndef FWCore_Framework_MakerMacros_h
#define FWCore_Framework_MakerMacros_h

#define DEFINE_FWK_MODULE(type) using PluginOfThisFile = type

#endif
