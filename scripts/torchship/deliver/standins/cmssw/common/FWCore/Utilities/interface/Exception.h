// A stand-in for CMSSW's exception, whose text is streamed into it.
#ifndef FWCore_Utilities_Exception_h
#define FWCore_Utilities_Exception_h

#include <exception>
#include <sstream>
#include <string>

namespace cms {

class Exception : public std::exception {
public:
  explicit Exception(const std::string& category) : text_(category + ": ") {}

  template <typename T>
  Exception& operator<<(const T& value) {
    std::ostringstream stream;
    stream << value;
    text_ += stream.str();
    return *this;
  }

  const char* what() const noexcept override { return text_.c_str(); }

private:
  std::string text_;
};

}  // namespace cms

#endif
