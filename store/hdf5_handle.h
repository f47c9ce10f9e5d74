#pragma once

#include <hdf5.h>

#include <utility>

namespace portolan {

/// Owns one HDF5 identifier and closes it. An identifier that HDF5 did not give (negative) is not closed.
template <herr_t (*close)(hid_t)>
class Hdf5Handle {
 public:
  Hdf5Handle() = default;
  explicit Hdf5Handle(hid_t id) : id_(id) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Hdf5Handle() { reset(); }

  /// Closes now. False when HDF5 reports that closing failed.
  bool reset() {
    const hid_t id = std::exchange(id_, H5I_INVALID_HID);
    return id < 0 || close(id) >= 0;
  }

  bool is_open() const { return id_ >= 0; }
  hid_t id() const { return id_; }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

using FileHandle = Hdf5Handle<H5Fclose>;
using GroupHandle = Hdf5Handle<H5Gclose>;
using DatasetHandle = Hdf5Handle<H5Dclose>;
using AttributeHandle = Hdf5Handle<H5Aclose>;
using SpaceHandle = Hdf5Handle<H5Sclose>;
using TypeHandle = Hdf5Handle<H5Tclose>;
using PropertiesHandle = Hdf5Handle<H5Pclose>;

/// While it lives, HDF5 prints nothing on this thread: failures become a Result where HDF5 is called.
class SilencedHdf5Errors {
 public:
  SilencedHdf5Errors() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~SilencedHdf5Errors() { H5Eset_auto2(H5E_DEFAULT, print_, print_data_); }
  SilencedHdf5Errors(const SilencedHdf5Errors&) = delete;
  SilencedHdf5Errors& operator=(const SilencedHdf5Errors&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
};

}  // namespace portolan
