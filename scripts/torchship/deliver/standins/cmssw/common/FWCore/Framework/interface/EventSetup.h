// A stand-in, see Event.h.
#include "FWCore/Framework/interface/Event.h"
