// Lines written by hand to the definitions of each framework's log (docs/compare.md).
#include "catalog/measured/training_log.h"

#include <gtest/gtest.h>

#include <sstream>

namespace portolan {
namespace {

/// 64 sequences of 1,024 tokens on 8 GPUs.
constexpr TrainingLogOptions kOptions = {.size = {.global_batch = 64, .sequence_length = 1024, .num_gpus = 8},
                                         .rank_without_prefix = 0};

Result<MeasuredLog> read(const std::string& text) {
  std::istringstream stream(text);
  return read_training_log(stream, "train.log", kOptions);
}

std::vector<double> times_of(const MeasuredLog& log) {
  std::vector<double> times;
  for (const LoggedStep& step : log.steps) {
    times.push_back(step.time.value);
  }
  return times;
}

std::string megatron_line(int step, const std::string& milliseconds, const std::string& more = "") {
  return " [2025-04-13 23:41:12] iteration " + std::to_string(step) +
         "/    1000 | consumed samples:          160 | elapsed time per iteration (ms): " + milliseconds +
         " | throughput per GPU (TFLOP/s/GPU): 101.0 | learning rate: 1.0E-04 | global batch size:    64 | " +
         more + "number of nan iterations:   0 |\n";
}

TEST(TrainingLog, MegatronIterations) {
  const auto log =
      read("training ...\n" + megatron_line(10, "1147.6") +
           megatron_line(20, "1000.0", "number of skipped iterations:   1 | ") +
           "  successfully saved checkpoint from iteration 20 to /ckpt\n" + megatron_line(30, "1.001e3") +
           megatron_line(40, "nan") + megatron_line(50, "-3") + megatron_line(60, "999.5"));
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->format, "Megatron-LM");
  EXPECT_EQ(times_of(*log), (std::vector<double>{1.1476, 1.0, 1.001, 0.9995}));
  EXPECT_EQ(log->steps[0], (LoggedStep{.step = 10, .time = Seconds(1.1476), .is_first = true}));
  EXPECT_TRUE(log->steps[1].was_skipped);
  EXPECT_TRUE(log->steps[2].after_pause);
  EXPECT_EQ(log->steps[3], (LoggedStep{.step = 60, .time = Seconds(0.9995)}));
  EXPECT_EQ(log->num_malformed, 2);
}

TEST(TrainingLog, OtherSpellingsOfMegatron) {
  const auto log = read(
      "[2024-04-21 02:45:08][INFO][training:1251] -  iteration=       1/  317892 | consumed_samples= 64 | "
      "elapsed_time_per_iteration_ms=17711.7 | learning_rate=0.0 | global_batch_size=   64 | lm loss=11.1 | "
      "number_of_skipped_iterations=  1 |\n"
      " iteration        2/infinity | elapsed time per iteration (ms): 430.0 | global batch size:     4 |\n");
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(times_of(*log), (std::vector<double>{17.7117, 0.43}));
  EXPECT_TRUE(log->steps[0].was_skipped);
  EXPECT_FALSE(log->steps[0].is_other_batch);
  EXPECT_TRUE(log->steps[1].is_other_batch);
}

TEST(TrainingLog, RanksShareALine) {
  const auto log = read(
      "[Rank 4] (after 1 iterations) memory (MB) | allocated: 9334.3 | max allocated: 10606.5 | reserved: "
      "1.0 | "
      "max reserved: 10998.0\n"
      "[Rank 2] (after 1 iterations) memory (MB) | allocated: 9334.3 | max allocated: 12680.5 | reserved: "
      "1.0 | "
      "max reserved: 13236.0[Rank 6] (after 1 iterations) memory (MB) | allocated: 1.0 | max allocated: 2.0 "
      "| "
      "reserved: 2.5 | max reserved: 3.0 [2025] iteration 1/ 5 | elapsed time per iteration (ms): 689.4 | x "
      "|\n"
      "[Rank 2] (after 9 iterations) memory (MB) | allocated: 1.0 | max allocated: 12000.0 | max reserved: "
      "13300.0\n");
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(times_of(*log), (std::vector<double>{0.6894}));
  ASSERT_EQ(log->memory.size(), 3U);
  const auto mebibytes = [](double count) { return Bytes(static_cast<std::int64_t>(count * kMebi)); };
  EXPECT_EQ(log->memory[0], (LoggedMemory{2, mebibytes(12680.5), mebibytes(13300)}));
  EXPECT_EQ(log->memory[1], (LoggedMemory{4, mebibytes(10606.5), mebibytes(10998)}));
  EXPECT_EQ(log->memory[2], (LoggedMemory{6, mebibytes(2), mebibytes(3)}));
}

TEST(TrainingLog, Timers) {
  const auto log = read(
      "(min, max) time across ranks (ms):\n"
      "    model-and-optimizer-setup ......................: (123.15, 123.15)\n" +
      megatron_line(1, "1000.0") +
      "INFO:megatron.core.timers:(min, max) time across ranks (ms):\n"
      "    forward-compute ................................: (52.10, 53.79)\n"
      "    optimizer ......................................: (9.5, 10.0)\n" +
      megatron_line(2, "1000.0") +
      "max time across ranks (ms):\n"
      "    forward-compute ................................: 60.5\n"
      "time (ms) | forward-compute: 50.25 | backward-send: 0.28 | forward-recv: x\n");
  ASSERT_TRUE(log) << log.error().message;
  ASSERT_EQ(log->timers.size(), 4U);  // forward-recv has no number
  EXPECT_EQ(log->timers[0], (LoggedTimer{"forward-compute", true}));
  EXPECT_EQ(log->timers[1], (LoggedTimer{"optimizer", true}));
  EXPECT_EQ(log->timers[2], (LoggedTimer{"forward-compute", false}));
  EXPECT_EQ(log->steps[0].timers[0].second, Seconds(0.05379));
  EXPECT_EQ(log->steps[0].timers[1].second, Seconds(0.010));
  EXPECT_EQ(log->steps[1].timers[0].second, Seconds(0.0605));
  EXPECT_EQ(log->steps[1].timers[1].second, Seconds(0.05025));
  EXPECT_EQ(log->num_malformed, 1);
}

TEST(TrainingLog, NemoProgressBarsAndLines) {
  const auto log = read(
      "Epoch 0: :   1%|          | 1/100 [00:10<16:30, reduced_train_loss=11.0, global_step=0.000, "
      "consumed_samples=64.0, train_step_timing in s=9.800]\r"
      "Epoch 0: :   2%|2         | 2/100 [00:13<10:48, reduced_train_loss=0.0172, global_step=1.00, "
      "consumed_samples=128.0, train_step_timing in s=3.130]\r"
      "Epoch 0: :   2%|2         | 2/100 [00:14<10:48, reduced_train_loss=0.0172, global_step=1.00, "
      "consumed_samples=128.0, train_step_timing in s=3.130]\n"
      "Training epoch 0, iteration 2/249 | lr: 5.882e-06 | global_batch_size: 64 | global_step: 2 | "
      "reduced_train_loss: 1.278 | train_step_timing in s: 1.505 | consumed_samples: 24\n"
      "Training epoch 0, iteration 3/249 | lr: 5.882e-06 | global_batch_size: 8 | train_step_timing in s: "
      "1.5\n");
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->format, "NeMo");
  EXPECT_EQ(times_of(*log), (std::vector<double>{9.8, 3.13, 1.505, 1.5}));
  EXPECT_EQ(log->steps[1].step, 1);
  EXPECT_TRUE(log->steps[3].is_other_batch);
}

TEST(TrainingLog, DeepSpeedRatesAndMemory) {
  const auto log = read(
      "[2025-01-09 10:30:34,904] [INFO] [utils.py:782:see_memory_usage] MA 4.17 GB         Max_MA 4.25 GB    "
      "  "
      "   CA 4.47 GB         Max_CA 5 GB \n"
      "[2022-08-29 06:58:56,176] [INFO] [timer.py:198:stop] 0/20, RunningAvgSamplesPerSec=232.7, "
      "CurrSamplesPerSec=32.0, MemAllocated=0.36GB, MaxMemAllocated=15.0GB\n"
      "[2023-11-07 01:55:23,714] [INFO] [timer.py:260:stop] epoch=0/micro_step=40/global_step=30, "
      "RunningAvgSamplesPerSec=25.0, CurrSamplesPerSec=64, MemAllocated=4.32GB, MaxMemAllocated=14.5GB\n"
      "[timer.py:100:stop] 0/40, SamplesPerSec=16\n"
      "steps: 50 loss: 0.0585 iter time (s): 0.186 samples/sec: 53.694 \n"
      "epoch=0/micro_step=40/global_step=60, RunningAvgSamplesPerSec=25.0, CurrSamplesPerSec=0, MemAll\n");
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->format, "DeepSpeed");
  EXPECT_EQ(times_of(*log), (std::vector<double>{2, 1, 4, 0.186}));
  EXPECT_EQ(log->steps[1].step, 30);
  EXPECT_EQ(log->num_malformed, 1);
  ASSERT_EQ(log->memory.size(), 1U);
  EXPECT_EQ(log->memory[0], (LoggedMemory{0, Bytes(15 * kGibi), Bytes(5 * kGibi)}));
}

TEST(TrainingLog, MegatronLinesOfADeepSpeedLogComeFirst) {
  const auto log = read(
      "[timer.py:260:stop] epoch=0/micro_step=1/global_step=1, RunningAvgSamplesPerSec=58.7, "
      "CurrSamplesPerSec=61.3, MemAllocated=6.01GB, MaxMemAllocated=19.5GB\n" +
      megatron_line(1, "1500.0"));
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->format, "Megatron-LM");
  EXPECT_EQ(times_of(*log), (std::vector<double>{1.5}));
  EXPECT_EQ(log->memory.size(), 1U);  // DeepSpeed's
}

TEST(TrainingLog, TorchtitanWithColoursAndRanks) {
  // 65,536 tokens over 8 GPUs: 8,192 a second and GPU is one second.
  const auto line = [](int rank, int step, const std::string& tps) {
    return "[rank" + std::to_string(rank) +
           "]:[titan] 2025-01-01 12:00:00,000 - root - INFO - \x1b[31mstep: " + std::to_string(step) +
           "  \x1b[32mloss:  8.1234  \x1b[38;2;180;60;0mgrad_norm:  1.2  \x1b[33mmemory: "
           "12.50GiB(15.57%)  \x1b[34mtps: " +
           tps + "  \x1b[36mtflops: 300.12  \x1b[35mmfu: 30.45%\x1b[39m\r\n";
  };
  const auto log =
      read(line(0, 1, "819") + line(1, 1, "4,096") + line(0, 10, "8,192") + line(0, 20, "16,384") +
           line(1, 10, "8,000") + line(1, 20, "16,384") + line(0, 10, "8,192"));
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->format, "torchtitan");
  // Ranks of a step are one step, as long as the slowest says; the last line is of a restart.
  ASSERT_EQ(log->steps.size(), 4U);
  EXPECT_NEAR(log->steps[0].time.value, 8192.0 / 819, 1e-9);
  EXPECT_NEAR(log->steps[1].time.value, 8192.0 / 8000, 1e-9);
  EXPECT_EQ(log->steps[2].time, Seconds(0.5));
  EXPECT_TRUE(log->steps[3].is_first);
  ASSERT_EQ(log->memory.size(), 2U);
  EXPECT_EQ(log->memory[1], (LoggedMemory{1, std::nullopt, Bytes(25 * kGibi / 2)}));
}

TEST(TrainingLog, ACutOffNumberIsNoNumber) {
  const std::string whole = megatron_line(1, "1500.0") + megatron_line(2, "1500.0");
  const std::string last = " iteration 3/ 9 | elapsed time per iteration (ms): 15";
  const auto log = read(whole + last);
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->steps.size(), 2U);
  EXPECT_EQ(log->num_cut_off, 1);
  EXPECT_EQ(log->num_malformed, 0);
  EXPECT_EQ(read(whole + last + "\n")->steps.size(), 3U);
  EXPECT_EQ(read(whole + last + " |")->steps.size(), 3U);
}

TEST(TrainingLog, NeverHoldsMoreThanALine) {
  // 64 MiB without a newline, then a step.
  class LongLine : public std::streambuf {
   public:
    explicit LongLine(std::string end) : end_(std::move(end)), chunk_(std::size_t{1} << 20U, 'x') {}

   protected:
    int_type underflow() override {
      if (chunks_ > 64) {
        return traits_type::eof();
      }
      std::string& next = chunks_++ < 64 ? chunk_ : end_;
      setg(next.data(), next.data(), next.data() + next.size());
      return traits_type::to_int_type(*gptr());
    }

   private:
    std::string end_, chunk_;
    int chunks_ = 0;
  };
  LongLine buffer("\n" + megatron_line(1, "1500.0"));
  std::istream stream(&buffer);
  const auto log = read_training_log(stream, "long.log", kOptions);
  ASSERT_TRUE(log) << log.error().message;
  EXPECT_EQ(log->steps.size(), 1U);
}

TEST(TrainingLog, RefusedInOneLine) {
  for (const auto& [text, message] : std::initializer_list<std::pair<std::string, std::string>>{
           {"",
            "train.log: no line with the time of a training step (read: \"elapsed time per iteration (ms)\" "
            "of "
            "Megatron-LM, \"train_step_timing in s\" of NeMo, \"SamplesPerSec\" or \"iter time (s)\" of "
            "DeepSpeed, \"tps:\" of torchtitan)"},
           {" iteration 1/ 9 | elapsed time per iteration (ms): 15 | global batch size: 32 |\n",
            "train.log: no step has the plan's global batch of 64 (allowed: logs of the job that the plan is "
            "of)"}}) {
    const auto log = read(text);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().message, message);
  }
}

}  // namespace
}  // namespace portolan
