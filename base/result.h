#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace portolan {

/// What went wrong, in the classes that the command line's exit codes tell apart.
enum class ErrorKind {
  kInfeasible,  ///< the plan is illegal or does not fit, or a gate refused it: exit 1
  kBadInput,    ///< malformed, unreadable or impossible input, or a value that nothing can use (yet): exit 2
  kDevice,      ///< a device or a rank failed: exit 3
};

/// One line for a person: place, value, what is allowed.
struct Error {
  ErrorKind kind = ErrorKind::kBadInput;
  std::string message;

  bool operator==(const Error&) const = default;
};

inline Error bad_input(std::string message) { return {ErrorKind::kBadInput, std::move(message)}; }
inline Error infeasible(std::string message) { return {ErrorKind::kInfeasible, std::move(message)}; }
inline Error device_error(std::string message) { return {ErrorKind::kDevice, std::move(message)}; }

/// A value or an Error. The names are those of std::expected<T, Error>, which needs C++23.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return content_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    assert(has_value());
    return *std::get_if<0>(&content_);
  }
  const T& value() const& {
    assert(has_value());
    return *std::get_if<0>(&content_);
  }
  T&& value() && {
    assert(has_value());
    return std::move(*std::get_if<0>(&content_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    assert(!has_value());
    return *std::get_if<1>(&content_);
  }

 private:
  std::variant<T, Error> content_;
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), has_value_(false) {}

  bool has_value() const { return has_value_; }
  explicit operator bool() const { return has_value_; }
  const Error& error() const {
    assert(!has_value_);
    return error_;
  }

 private:
  Error error_;
  bool has_value_ = true;
};

}  // namespace portolan

#define PORTOLAN_CONCAT_INNER(a, b) a##b
#define PORTOLAN_CONCAT(a, b) PORTOLAN_CONCAT_INNER(a, b)

/// PORTOLAN_TRY(auto x, f()): returns f()'s error from the enclosing function, or binds its value.
#define PORTOLAN_TRY(declaration, expression)          \
  auto PORTOLAN_CONCAT(try_, __LINE__) = (expression); \
  if (!PORTOLAN_CONCAT(try_, __LINE__)) {              \
    return PORTOLAN_CONCAT(try_, __LINE__).error();    \
  }                                                    \
  declaration = std::move(PORTOLAN_CONCAT(try_, __LINE__)).value()

/// PORTOLAN_CHECK_OK(f()): returns f()'s error from the enclosing function, drops its value.
#define PORTOLAN_CHECK_OK(expression)                                                              \
  if (auto PORTOLAN_CONCAT(check_, __LINE__) = (expression); !PORTOLAN_CONCAT(check_, __LINE__)) { \
    return PORTOLAN_CONCAT(check_, __LINE__).error();                                              \
  }
