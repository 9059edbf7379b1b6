// A stand-in: a file below the search path, here the folder in TORCHSHIP_STANDIN_PATH.
#ifndef FWCore_ParameterSet_FileInPath_h
#define FWCore_ParameterSet_FileInPath_h

#include <cstdlib>
#include <string>

namespace edm {

class FileInPath {
public:
  FileInPath() = default;
  explicit FileInPath(const std::string& path) : path_(path) {}

  std::string fullPath() const {
    const char* folder = std::getenv("TORCHSHIP_STANDIN_PATH");
    return (folder ? std::string(folder) + "/" : std::string()) + path_;
  }

private:
  std::string path_;
};

}  // namespace edm

#endif
