#include "sim/fluid_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <functional>
#include <limits>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/kernel/resource/NetworkModelIntf.hpp>
#include <simgrid/kernel/routing/NetZoneImpl.hpp>
#include <simgrid/s4u.hpp>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include <xbt/config.hpp>

#include "sim/engine_clock.h"

namespace portolan {
namespace {

namespace routing = simgrid::kernel::routing;
namespace s4u = simgrid::s4u;

/// Latency of every route as SimGrid is told it, because CM02 takes it for the weight of a transfer. A
/// latency factor of zero then takes it away again: latencies are delays of ours, before SimGrid sees the
/// transfer.
constexpr double kRouteLatency = 1.0;

/// Events closer than this part of the time are one event. Must stay well above 2^-52, the rounding of
/// SimGrid's clock, or an event can fall behind the clock and never happen.
constexpr double kTimePrecision = 0x1p-46;

/// Keeps scaled bandwidths within what a double holds. Transfers below 2^-58 bytes lose digits to it.
constexpr int kMaxPayloadExponent = 120;

/// A zone whose route is whatever the transfer being started takes: SimGrid asks for it at the start.
class CurrentPathZone final : public routing::NetZoneImpl {
 public:
  using LinkList = std::vector<simgrid::kernel::resource::StandardLinkImpl*>;

  CurrentPathZone(const std::string& name, const LinkList& current_path)
      : NetZoneImpl(name), current_path_(current_path) {}

  void get_local_route(const routing::NetPoint*, const routing::NetPoint*, routing::Route* route,
                       double* latency) override {
    route->link_list_.insert(route->link_list_.end(), current_path_.begin(), current_path_.end());
    if (latency != nullptr) *latency += kRouteLatency;
  }

 private:
  const LinkList& current_path_;
};

/// SimGrid takes over these signals and ends the process in its own way: ours must survive.
class SignalHandlersKept {
 public:
  SignalHandlersKept() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &kept_[i]);
  }
  ~SignalHandlersKept() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &kept_[i], nullptr);
  }
  SignalHandlersKept(const SignalHandlersKept&) = delete;
  SignalHandlersKept& operator=(const SignalHandlersKept&) = delete;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGSEGV, SIGBUS};
  std::array<struct sigaction, kSignals.size()> kept_{};
};

/// Leaked on purpose: the engine's destructor is not safe to run at exit, see sim/README.md.
s4u::Engine* make_engine() {
  const SignalHandlersKept kept;
  std::vector<std::string> arguments = {
      "portolan",
      "--log=root.thres:error",
      "--cfg=network/model:CM02",
      "--cfg=network/TCP-gamma:1e300",
      "--cfg=network/crosstraffic:0",
      "--cfg=maxmin/precision:1e-13",
      "--cfg=debug/clean-atexit:0",
  };
  std::vector<char*> argument_pointers;
  for (std::string& argument : arguments) argument_pointers.push_back(argument.data());
  int num_arguments = static_cast<int>(argument_pointers.size());
  argument_pointers.push_back(nullptr);
  return new s4u::Engine(&num_arguments, argument_pointers.data());
}

bool engine_exists = false;

}  // namespace

class FluidEngine::Implementation {
 public:
  Implementation();

  void begin(const Setup& setup);
  void start_delay(std::int32_t number, Seconds delay);
  void start_alarm(std::int32_t number, Seconds delay);
  void cancel_alarm(std::int32_t number);
  void start_transfer(std::int32_t number, const Transfer& transfer);
  void set_bandwidth(std::int32_t link, BytesPerSecond bandwidth);
  void run(const std::function<void(std::int32_t)>& on_end);

  const std::thread::id thread = std::this_thread::get_id();

 private:
  void start_moving(std::int32_t number, const Transfer& transfer);
  void grow_pool(std::size_t num_links);
  void set_time_precision(double time_s);
  void time_advanced();
  void set_link(std::int32_t link, BytesPerSecond bandwidth);

  s4u::Engine* engine_ = make_engine();
  CurrentPathZone::LinkList current_path_;
  CurrentPathZone* root_ = nullptr;
  s4u::Host* host_ = nullptr;  ///< both ends of every transfer: only the links matter
  std::vector<s4u::Link*> links_;
  CurrentPathZone::LinkList link_models_;  ///< of links_: the look-up costs more than the rest of a path
  int num_pools_ = 0;
  int payload_exponent_ = 0;
  double precise_until_s_ = 0;
  const std::function<void(std::int32_t)>* on_end_ = nullptr;
  std::vector<s4u::CommPtr> under_way_;  ///< by slot
  std::vector<std::size_t> free_slots_;
  std::vector<std::size_t> ended_slots_;
  std::vector<std::int32_t> number_of_slot_;
  std::unordered_map<std::int32_t, simgrid::kernel::timer::Timer*> alarms_;  ///< by number
  std::vector<BytesPerSecond> whole_;                                        ///< of links_, as begin() said
  std::unordered_map<std::int32_t, BytesPerSecond> lowered_;                 ///< links that have less now
};

FluidEngine::Implementation::Implementation() {
  root_ = new CurrentPathZone("root", current_path_);
  root_->set_parent(nullptr);
  host_ = root_->get_iface()->create_host("end", 1.0);
  root_->get_iface()->get_network_model()->set_lat_factor_cb(
      [](double, const s4u::Host*, const s4u::Host*, const std::vector<s4u::Link*>&,
         const std::unordered_set<s4u::NetZone*>&) { return 0.0; });
  root_->get_iface()->seal();
  engine_->seal_platform();
  s4u::Activity::on_completion_cb([this](const s4u::Activity& activity) {
    const auto slot = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(activity.get_data<void>()));
    ended_slots_.push_back(slot);
    (*on_end_)(number_of_slot_[slot]);
  });
  s4u::Engine::on_time_advance_cb([this](double) { time_advanced(); });
}

void FluidEngine::Implementation::begin(const Setup& setup) {
  grow_pool(setup.links.size());
  // Payloads are whole numbers: scale them by a power of two, so that the largest fills 62 bits.
  const double largest = std::max(setup.largest_transfer_bytes, std::numeric_limits<double>::min());
  payload_exponent_ = std::min(61 - std::ilogb(largest), kMaxPayloadExponent);
  whole_.clear();
  lowered_.clear();
  for (std::size_t link = 0; link < setup.links.size(); ++link) {
    whole_.push_back(setup.links[link].bandwidth);
    set_link(static_cast<std::int32_t>(link), whole_.back());
  }
  // Nothing is under way: this lets SimGrid digest the new bandwidths, so that the order in which earlier
  // simulations left its links cannot show in the last bits of this one.
  engine_->run();
  reset_engine_clock();
  precise_until_s_ = 0;
  set_time_precision(std::max(setup.shortest_makespan.value, std::numeric_limits<double>::min()));
}

/// A sealed zone takes no further links: each growth makes a zone of its own, beside the platform's tree,
/// that shares its network model. At least doubles, so that there are few.
void FluidEngine::Implementation::grow_pool(std::size_t num_links) {
  if (num_links <= links_.size()) return;
  num_links = std::max(num_links, 2 * links_.size());
  auto* zone = new CurrentPathZone(fmt::format("pool {}", num_pools_++), current_path_);
  zone->set_network_model(root_->get_network_model());
  while (links_.size() < num_links) {
    links_.push_back(zone->get_iface()->create_link(fmt::format("link {}", links_.size()), 1.0));
    links_.back()->seal();
    link_models_.push_back(links_.back()->get_impl());
  }
}

void FluidEngine::Implementation::set_time_precision(double time_s) {
  if (time_s < precise_until_s_) return;
  simgrid::config::set_value<double>("surf/precision", kTimePrecision * time_s);
  precise_until_s_ = 2 * time_s;
}

void FluidEngine::Implementation::time_advanced() {
  set_time_precision(s4u::Engine::get_clock());
  // Not when they end: SimGrid still holds them then.
  for (const std::size_t slot : ended_slots_) under_way_[slot] = nullptr;
  free_slots_.insert(free_slots_.end(), ended_slots_.begin(), ended_slots_.end());
  ended_slots_.clear();
}

void FluidEngine::Implementation::start_delay(std::int32_t number, Seconds delay) {
  simgrid::kernel::timer::Timer::set(s4u::Engine::get_clock() + delay.value,
                                     [this, number] { (*on_end_)(number); });
}

void FluidEngine::Implementation::start_alarm(std::int32_t number, Seconds delay) {
  alarms_[number] =
      simgrid::kernel::timer::Timer::set(s4u::Engine::get_clock() + delay.value, [this, number] {
        alarms_.erase(number);  // SimGrid deletes it
        (*on_end_)(number);
      });
}

void FluidEngine::Implementation::cancel_alarm(std::int32_t number) {
  if (const auto alarm = alarms_.find(number); alarm != alarms_.end()) {
    alarm->second->remove();
    alarms_.erase(alarm);
  }
}

/// SimGrid must not wait for the latency itself: when the latencies of several transfers end together, its
/// solver can miss that one of them now shares a link, and gives that link away twice.
void FluidEngine::Implementation::start_transfer(std::int32_t number, const Transfer& transfer) {
  if (transfer.latency <= Seconds(0)) {
    start_moving(number, transfer);
    return;
  }
  simgrid::kernel::timer::Timer::set(s4u::Engine::get_clock() + transfer.latency.value,
                                     [this, number, transfer] { start_moving(number, transfer); });
}

void FluidEngine::Implementation::start_moving(std::int32_t number, const Transfer& transfer) {
  std::size_t slot = under_way_.size();
  if (free_slots_.empty()) {
    under_way_.emplace_back();
    number_of_slot_.push_back(number);
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    number_of_slot_[slot] = number;
  }
  current_path_.clear();
  for (const std::int32_t link : transfer.links) {
    current_path_.push_back(link_models_[static_cast<std::size_t>(link)]);
  }
  const double payload = std::round(std::ldexp(transfer.bytes, payload_exponent_));
  const s4u::CommPtr comm = s4u::Comm::sendto_init(host_, host_);
  under_way_[slot] = comm;
  comm->set_data(reinterpret_cast<void*>(static_cast<std::uintptr_t>(slot)));
  // SimGrid never ends a transfer of nothing.
  comm->set_payload_size(static_cast<std::uint64_t>(std::max(payload, 1.0)));
  // SimGrid never lets a transfer be faster than its links were when it started: they are whole then.
  const auto set_lowered = [&](bool to_whole) {
    for (const std::int32_t link : transfer.links) {
      if (const auto lowered = lowered_.find(link); lowered != lowered_.end()) {
        set_link(link, to_whole ? whole_[static_cast<std::size_t>(link)] : lowered->second);
      }
    }
  };
  const bool any_lowered = !lowered_.empty();
  if (any_lowered) set_lowered(true);
  comm->vetoable_start();
  if (any_lowered) set_lowered(false);
}

void FluidEngine::Implementation::set_link(std::int32_t link, BytesPerSecond bandwidth) {
  links_[static_cast<std::size_t>(link)]->set_bandwidth(std::ldexp(bandwidth.value, payload_exponent_));
}

void FluidEngine::Implementation::set_bandwidth(std::int32_t link, BytesPerSecond bandwidth) {
  set_link(link, bandwidth);
  if (bandwidth < whole_[static_cast<std::size_t>(link)]) {
    lowered_[link] = bandwidth;
  } else {
    lowered_.erase(link);
  }
}

void FluidEngine::Implementation::run(const std::function<void(std::int32_t)>& on_end) {
  on_end_ = &on_end;
  engine_->run();
  on_end_ = nullptr;
  time_advanced();
}

FluidEngine::FluidEngine() : implementation_(std::make_unique<Implementation>()) {}
FluidEngine::~FluidEngine() = default;

FluidEngine& FluidEngine::of_this_process() {
  static FluidEngine* const engine = new FluidEngine();
  engine_exists = true;
  return *engine;
}

bool FluidEngine::exists() { return engine_exists; }

bool FluidEngine::belongs_to_this_thread() const {
  return implementation_->thread == std::this_thread::get_id();
}

void FluidEngine::begin(const Setup& setup) { implementation_->begin(setup); }
void FluidEngine::start_delay(std::int32_t number, Seconds delay) {
  implementation_->start_delay(number, delay);
}
void FluidEngine::start_alarm(std::int32_t number, Seconds delay) {
  implementation_->start_alarm(number, delay);
}
void FluidEngine::cancel_alarm(std::int32_t number) { implementation_->cancel_alarm(number); }
void FluidEngine::start_transfer(std::int32_t number, const Transfer& transfer) {
  implementation_->start_transfer(number, transfer);
}
void FluidEngine::set_bandwidth(std::int32_t link, BytesPerSecond bandwidth) {
  implementation_->set_bandwidth(link, bandwidth);
}
void FluidEngine::run(const std::function<void(std::int32_t)>& on_end) { implementation_->run(on_end); }
Seconds FluidEngine::now() const { return Seconds(simgrid::s4u::Engine::get_clock()); }

}  // namespace portolan
