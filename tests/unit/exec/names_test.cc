#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>

#include "base/file.h"

namespace portolan {
namespace {

TEST(Names, TheExecutorKnowsOfNoScheduleAndNoShardingRule) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(PORTOLAN_SOURCE_DIR "/exec")) {
    const std::string name = entry.path().filename().string();
    const bool source = name.ends_with(".cc") || name.ends_with(".h");
    // Who a rank is needs axes by name, in one file.
    if (!source || name.starts_with("rank_place") ||
        entry.path().string().find("/exec/data/") != std::string::npos) {
      continue;
    }
    std::string text = read_file(entry.path()).value();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* word : {"1f1b", "gpipe", "onefoneb", "interleav", "zerobubble", "zero_stage",
                             "zero-bubble", "axis::k", "schedulekind"}) {
      EXPECT_EQ(text.find(word), std::string::npos) << entry.path() << " names " << word;
    }
  }
}

}  // namespace
}  // namespace portolan
