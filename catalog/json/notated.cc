#include "catalog/json/notated.h"

#include "base/parse_quantity.h"

namespace portolan {

JsonValue notated(Bytes size, Notation notation) {
  return notation == Notation::kNumbers ? JsonValue(size.value) : JsonValue(write_bytes(size));
}
JsonValue notated(Seconds time, Notation notation) {
  return notation == Notation::kNumbers ? JsonValue(time.value) : JsonValue(write_seconds(time));
}
JsonValue notated(BytesPerSecond rate, Notation notation) {
  return notation == Notation::kNumbers ? JsonValue(rate.value) : JsonValue(write_bytes_per_second(rate));
}
JsonValue notated(FlopsPerSecond rate, Notation notation) {
  return notation == Notation::kNumbers ? JsonValue(rate.value) : JsonValue(write_flops_per_second(rate));
}
JsonValue notated(Watts power, Notation notation) {
  return notation == Notation::kNumbers ? JsonValue(power.value) : JsonValue(write_watts(power));
}

}  // namespace portolan
