#include "catalog/vary_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace portolan {
namespace {

struct Good {
  std::string text;
  std::string key;
  std::vector<std::string> values;
};

TEST(Vary, ListsAndRanges) {
  const std::vector<Good> table = {
      {"num_gpus=64", "num_gpus", {"64"}},
      {"precision=bf16,fp8", "precision", {"bf16", "fp8"}},
      {"hardware.device.memory=40 GiB, 80 GiB", "hardware.device.memory", {"40 GiB", "80 GiB"}},
      {"num_gpus=64..1024*2", "num_gpus", {"64", "128", "256", "512", "1024"}},
      {"num_gpus=100..600+200", "num_gpus", {"100", "300", "500"}},
      {"num_gpus=8,64..300*4", "num_gpus", {"8", "64", "256"}},
      {"num_gpus=5..5+1", "num_gpus", {"5"}},
      {"model=../models/mine.yaml,llama2-7b", "model", {"../models/mine.yaml", "llama2-7b"}},
      {"strategy.layers=2:10:10", "strategy.layers", {"2:10:10"}},
      {"training_run.tokens=3e11", "training_run.tokens", {"3e11"}},
  };
  for (const Good& good : table) {
    const Result<VariedKey> varied = parse_vary(good.text);
    ASSERT_TRUE(varied) << good.text << ": " << varied.error().message;
    EXPECT_EQ(varied->key, good.key);
    EXPECT_EQ(varied->values, good.values) << good.text;
  }
}

struct Bad {
  std::string text;
  std::string message;
};

TEST(Vary, SaysWhatIsWrong) {
  const std::vector<Bad> table = {
      {"", "--vary: \"\" is no key of a scenario (allowed: KEY=VALUE,VALUE,...)"},
      {"a b=1", "--vary: \"a b\" is no key of a scenario (allowed: KEY=VALUE,VALUE,...)"},
      {"a..b=1", "--vary: \"a..b\" is no key of a scenario (allowed: KEY=VALUE,VALUE,...)"},
      {"num_gpus", "--vary num_gpus: has no values (allowed: KEY=VALUE,VALUE,...)"},
      {"num_gpus=", "--vary num_gpus: a value is empty (allowed: KEY=VALUE,VALUE,...)"},
      {"num_gpus=8,,16", "--vary num_gpus: a value is empty (allowed: KEY=VALUE,VALUE,...)"},
      {"num_gpus=8,16,8", "--vary num_gpus: \"8\" is there twice"},
      {"num_gpus=64,8..64*2", "--vary num_gpus: \"64\" is there twice"},
      {"num_gpus=64..1024",
       "--vary num_gpus: \"64..1024\" has no step (allowed: such as 64..1024*2 or 64..1024+64)"},
      {"num_gpus=64..1024*1",
       "--vary num_gpus: \"64..1024*1\" does not grow (allowed: such as 64..1024*2 or 64..1024+64)"},
      {"num_gpus=64..8*2",
       "--vary num_gpus: \"64..8*2\" does not grow (allowed: such as 64..1024*2 or 64..1024+64)"},
      {"num_gpus=0..8*2",
       "--vary num_gpus: \"0..8*2\" does not grow (allowed: such as 64..1024*2 or 64..1024+64)"},
      {"num_gpus=1..x*2",
       "--vary num_gpus: \"1..x*2\" is not a range of whole numbers (allowed: such as 64..1024*2 or "
       "64..1024+64)"},
      {"num_gpus=1..100000+1", "--vary num_gpus: \"1..100000+1\" is more than 10000 values"},
  };
  for (const Bad& bad : table) {
    const Result<VariedKey> varied = parse_vary(bad.text);
    ASSERT_FALSE(varied) << bad.text;
    EXPECT_EQ(varied.error().message, bad.message);
  }
}

}  // namespace
}  // namespace portolan
