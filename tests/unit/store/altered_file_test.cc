// Files that are sound HDF5 with a sound seal, but not a run: everything in them is taken away, given another
// type, another length, or an impossible size, one thing at a time.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "store/hdf5_handle.h"
#include "store/run_file.h"
#include "tests/unit/store/altered_image.h"
#include "tests/unit/store/sample_run.h"
#include "tests/unit/store/scratch_folder.h"

namespace portolan {
namespace {

using Alter = std::function<void(hid_t file)>;

std::string message_after(const Alter& alter) {
  const std::string image = altered_image(sample_image(), alter);
  EXPECT_FALSE(image.empty());
  const auto run = parse_run(image, "run.h5");
  EXPECT_TRUE(run || run.error().kind == ErrorKind::kBadInput);
  return run ? "no error" : run.error().message;
}

/// A dataset without stored chunks.
void claim_dataset(hid_t file, const char* path, hsize_t length, hsize_t chunk) {
  H5Ldelete(file, path, H5P_DEFAULT);
  const PropertiesHandle creation(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_chunk(creation.id(), 1, &chunk);
  const SpaceHandle space(H5Screate_simple(1, &length, nullptr));
  DatasetHandle(H5Dcreate2(file, path, H5T_IEEE_F64LE, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT));
}

template <typename Raw>
void overwrite_attribute(hid_t file, const char* group, const char* name, Raw raw, hid_t type) {
  const GroupHandle holder(H5Gopen2(file, group, H5P_DEFAULT));
  const AttributeHandle attribute(H5Aopen(holder.id(), name, H5P_DEFAULT));
  ASSERT_GE(H5Awrite(attribute.id(), type, &raw), 0);
}

TEST(AlteredRunFile, AnUnchangedCopyIsRead) {
  EXPECT_EQ(message_after([](hid_t) {}), "no error");
  EXPECT_GT(list_places(sample_image()).size(), 80U);
}

TEST(AlteredRunFile, WhateverIsMissingIsNamed) {
  for (const Place& place : list_places(sample_image())) {
    const std::string message = message_after([&](hid_t file) {
      if (place.kind == Place::Kind::kAttribute) {
        ASSERT_GE(H5Adelete_by_name(file, place.group.c_str(), place.name.c_str(), H5P_DEFAULT), 0);
      } else {
        ASSERT_GE(H5Ldelete(file, place.path().c_str(), H5P_DEFAULT), 0);
      }
    });
    EXPECT_EQ(message, "run.h5: " + place.path() + ": missing");
  }
}

TEST(AlteredRunFile, WhateverHasTheWrongTypeIsNamed) {
  const TypeHandle variable_text(H5Tcopy(H5T_C_S1));
  H5Tset_size(variable_text.id(), H5T_VARIABLE);
  for (const Place& place : list_places(sample_image())) {
    for (const hid_t type : {H5T_IEEE_F32LE, H5T_STD_I16BE, variable_text.id()}) {
      const std::string message = message_after([&](hid_t file) {
        if (place.kind == Place::Kind::kAttribute) {
          replace_attribute(file, place, type);
        } else {
          replace_dataset(file, place.path(), type, 3);
        }
      });
      const char* what = place.kind == Place::Kind::kGroup ? ": is not a group" : ": has the wrong type";
      EXPECT_EQ(message, "run.h5: " + place.path() + what);
    }
  }
}

TEST(AlteredRunFile, ColumnsOfUnequalLengthAreNamed) {
  const struct {
    const char* path;
    hid_t type;
    const char* message;
  } rows[] = {
      {"/measured/timeline/rank", H5T_STD_I32LE, "has 7 entries, expected 3"},
      {"/measured/timeline/end_s", H5T_IEEE_F64LE, "has 7 entries, expected 3"},
      {"/predicted/timeline/start_s", H5T_IEEE_F64LE, "has 7 entries, expected 3"},
      {"/predicted/stage_memory/reserved_bytes", H5T_STD_I64LE, "has 7 entries, expected 2"},
      {"/measured/by_kind/measured_s", H5T_IEEE_F64LE, "has 7 entries, expected 2"},
      {"/measured/memory/rss_bytes", H5T_STD_I64LE, "has 7 entries, expected 2"},
      {"/predicted/strategy/axis_order", H5T_STD_U8LE, "has 7 entries, expected 5"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(message_after([&](hid_t file) { replace_dataset(file, row.path, row.type, 7); }),
              std::string("run.h5: ") + row.path + ": " + row.message);
  }
}

TEST(AlteredRunFile, ImpossibleSizesAreNotAllocated) {
  constexpr hsize_t kTera = hsize_t{1} << 40;
  const char* path = "/measured/losses";
  const struct {
    hsize_t length;
    hsize_t chunk;
    const char* message;
  } rows[] = {
      {kTera, 1 << 16, "claims 1099511627776 entries, too many"},
      {hsize_t{1} << 62, 1 << 16, "claims 4611686018427387904 entries, too many"},
      {1 << 28, 1 << 16, "claims 268435456 entries, more than its 0 bytes can hold"},
      {1, 1, "claims 1 entries, more than its 0 bytes can hold"},
      {1 << 28, 1 << 28, "has chunks of 268435456 entries, too many"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(message_after([&](hid_t file) { claim_dataset(file, path, row.length, row.chunk); }),
              std::string("run.h5: ") + path + ": " + row.message);
  }
}

TEST(AlteredRunFile, OtherLayoutsAreRefused) {
  const char* path = "/measured/losses";
  const auto put = [&](hid_t file, hid_t space, hid_t creation) {
    H5Ldelete(file, path, H5P_DEFAULT);
    DatasetHandle(H5Dcreate2(file, path, H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  };
  const hsize_t dimensions[] = {3, 3};
  const SpaceHandle line(H5Screate_simple(1, dimensions, nullptr));
  const SpaceHandle square(H5Screate_simple(2, dimensions, nullptr));
  const SpaceHandle scalar(H5Screate(H5S_SCALAR));
  const PropertiesHandle checksummed(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_chunk(checksummed.id(), 1, dimensions);
  H5Pset_fletcher32(checksummed.id());
  const PropertiesHandle external(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_external(external.id(), "/etc/hostname", 0, H5F_UNLIMITED);
  const std::string lead = std::string("run.h5: ") + path + ": ";
  EXPECT_EQ(message_after([&](hid_t f) { put(f, line.id(), H5P_DEFAULT); }), lead + "is not chunked");
  EXPECT_EQ(message_after([&](hid_t f) { put(f, square.id(), H5P_DEFAULT); }),
            lead + "has not one dimension");
  EXPECT_EQ(message_after([&](hid_t f) { put(f, scalar.id(), H5P_DEFAULT); }),
            lead + "has not one dimension");
  EXPECT_EQ(message_after([&](hid_t f) { put(f, line.id(), checksummed.id()); }),
            lead + "is packed in a way that is not read (shuffle and gzip are)");
  EXPECT_EQ(message_after([&](hid_t f) { put(f, line.id(), external.id()); }), lead + "is not chunked");
}

TEST(AlteredRunFile, LinksAreNotFollowed) {
  const char* path = "/measured/losses";
  const std::string expected = "run.h5: /measured/losses: is a link to elsewhere, which is not followed";
  EXPECT_EQ(message_after([&](hid_t file) {
              H5Ldelete(file, path, H5P_DEFAULT);
              H5Lcreate_soft("/measured/step_times_s", file, path, H5P_DEFAULT, H5P_DEFAULT);
            }),
            expected);
  EXPECT_EQ(message_after([&](hid_t file) {
              H5Ldelete(file, path, H5P_DEFAULT);
              H5Lcreate_external("/tmp/other.h5", "/losses", file, path, H5P_DEFAULT, H5P_DEFAULT);
            }),
            expected);
}

TEST(AlteredRunFile, AGroupIsNoDataset) {
  EXPECT_EQ(message_after([](hid_t file) {
              H5Ldelete(file, "/measured/losses", H5P_DEFAULT);
              GroupHandle(H5Gcreate2(file, "/measured/losses", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
            }),
            "run.h5: /measured/losses: is not a dataset");
}

TEST(AlteredRunFile, AnotherVersionAndUnknownCodesAreNamed) {
  const auto set_byte = [](const char* group, const char* name, std::uint8_t value) -> Alter {
    return [=](hid_t file) { overwrite_attribute(file, group, name, value, H5T_NATIVE_UINT8); };
  };
  EXPECT_EQ(message_after([](hid_t file) {
              overwrite_attribute(file, "/", "format_version", std::int32_t{1}, H5T_NATIVE_INT32);
            }),
            "run.h5: /format_version: is 1, this program reads 3");
  const std::string unknown = ": a code that has no meaning";
  EXPECT_EQ(message_after(set_byte("/", "valid", 2)), "run.h5: /valid" + unknown);
  EXPECT_EQ(message_after(set_byte("/predicted/strategy", "schedule", 4)),
            "run.h5: /predicted/strategy/schedule" + unknown);
  EXPECT_EQ(message_after(set_byte("/predicted/strategy", "offload", 4)),
            "run.h5: /predicted/strategy/offload" + unknown);
  EXPECT_EQ(message_after(set_byte("/predicted/strategy", "precision", 255)),
            "run.h5: /predicted/strategy/precision" + unknown);
  EXPECT_EQ(message_after([](hid_t file) {
              overwrite_attribute(file, "/predicted/strategy", "recompute_all_layers",
                                  std::uint32_t{1} << kNumKernelGroups, H5T_NATIVE_UINT32);
            }),
            "run.h5: /predicted/strategy/recompute_all_layers" + unknown);
  EXPECT_EQ(message_after([](hid_t file) {
              replace_dataset(file, "/predicted/strategy/axis_order", H5T_STD_U8LE, kNumAxes);
            }),
            "run.h5: /predicted/strategy/axis_order: an axis is named twice");
}

TEST(AlteredRunFile, FurtherContentIsIgnored) {
  EXPECT_EQ(message_after([](hid_t file) {
              replace_dataset(file, "/measured/temperature_c", H5T_IEEE_F32LE, 9);
              GroupHandle(H5Gcreate2(file, "/notes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
            }),
            "no error");
}

/// The seal is HDF5's user block: any program that reads HDF5 reads the file from disk.
TEST(SealedRunFile, IsAnHdf5FileToOthers) {
  const ScratchFolder folder;
  const auto path = folder / "run.h5";
  ASSERT_TRUE(write_run(path, sample_run()));
  const FileHandle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const DatasetHandle dataset(H5Dopen2(file.id(), "/measured/losses", H5P_DEFAULT));
  std::vector<double> losses(sample_run().losses.size());
  ASSERT_GE(H5Dread(dataset.id(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, losses.data()), 0);
  EXPECT_EQ(losses, sample_run().losses);
}

TEST(RefusedRecord, WhatCouldNotBeReadIsNotWritten) {
  const auto message_of = [](const RunRecord& run) {
    const auto content = format_run(run, "run.h5");
    return content ? "no error" : content.error().message;
  };
  RunRecord run = sample_run();
  run.by_kind[0].kind = std::string("a\0b", 3);
  EXPECT_EQ(message_of(run),
            "run.h5: /measured/by_kind/kind: a text holds a NUL byte, which pads the column");
  run.by_kind[0].kind = std::string(4097, 'k');
  EXPECT_EQ(message_of(run), "run.h5: /measured/by_kind/kind: a text of 4097 bytes: at most 4096");
  run = sample_run();
  run.predicted.strategy.axis_order[0] = run.predicted.strategy.axis_order[1];
  EXPECT_EQ(message_of(run), "run.h5: /predicted/strategy/axis_order: an axis is named twice");
}

}  // namespace
}  // namespace portolan
