// SPDX-License-Identifier: Apache-2.0
// A device's partition that answers with any bytes. The input is a list of answers: which call each
// is to, its code, its length, its bytes.
#include <cstdlib>

#include "isolated/driver/opencl/icd/link.h"
#include "wire/srpc/stream_pair.h"

namespace {

using namespace casemate;
using namespace casemate::opencl;

constexpr uint64_t kBulk = 64 << 10, kRoom = 4096;
constexpr cl_uint kParameters[] = {CL_DEVICE_TYPE, CL_DEVICE_NAME, CL_DEVICE_MAX_WORK_ITEM_SIZES,
                                   CL_DEVICE_VENDOR_ID};

void demand(bool holds) {
  if (!holds) std::abort();
}

void look_at(cl_uint parameter, Bytes value) {
  const Form form = form_of(Query::kDevice, parameter);
  if (!fits(value, form)) return;
  if (form.kind == Form::Kind::kText) demand(!value.empty() && value.back() == 0);
  if (form.kind == Form::Kind::kPlain) demand(value.size() == form.size);
  if (form.kind == Form::Kind::kList) demand(value.size() <= size_t{form.size} * form.most);
}

struct Ends {
  Link link;
  srpc::Callee callee;

  template <class T>
  void ask(const T& call, Code code, Bytes answer, cl_int status_max, size_t value_max) {
    const auto sequence = link.start(call);
    if (!sequence || !callee.next({})) return;
    static_cast<void>(callee.reply(code, answer));
    std::vector<uint8_t> value;
    const cl_int status = link.wait(*sequence, &value);
    demand(status <= status_max);
    if (status != CL_SUCCESS) return;
    demand(value.size() <= value_max);
    if constexpr (std::is_same_v<T, QueryCall>) look_at(call.parameter, value);
  }
};

void answer(Ends& ends, uint8_t which, Code code, Bytes bytes) {
  switch (which % 5) {
    case 0: {
      QueryCall call;
      call.query = static_cast<uint32_t>(Query::kDevice);
      call.parameter = kParameters[which / 5 % std::size(kParameters)];
      call.out = {0, kRoom};
      return ends.ask(call, code, bytes, CL_SUCCESS, kRoom);
    }
    case 1:
      return ends.ask(CreateKernel{.id = 1, .program = 2}, code, bytes, CL_SUCCESS, kArgumentsMax);
    case 2:
      return ends.ask(Wait{.bounded = 1, .count = 1, .events = {1}}, code, bytes, kNotYet, 0);
    case 3:
      return ends.ask(Finish{.queue = 1}, code, bytes, CL_SUCCESS, 0);
    default:
      break;
  }
  if (ends.link.post(Flush{.queue = 1}, 1) != CL_SUCCESS || !ends.callee.next({})) return;
  static_cast<void>(ends.callee.reply(code, bytes));
  static_cast<void>(ends.link.place(kRoom));
  demand(ends.link.queue_error(1) <= CL_SUCCESS);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto pair = srpc::StreamPair::make(
      StreamId{1}, Epoch{1}, {.slots = 16, .bulk_in_bytes = kBulk, .bulk_out_bytes = kBulk});
  demand(pair.has_value());
  Ends ends{Link(*Transport::make(*pair->caller_end())), *srpc::Callee::make(*pair->callee_end())};
  Bytes script{data, size};
  while (script.size() >= 3 && !ends.link.failed()) {
    const uint8_t which = script[0];
    const auto code = static_cast<Code>(script[1] < 128 ? 0 : script[1] - 128);
    const size_t length =
        std::min({size_t{script[2]}, srpc::kPayloadBytes, script.size() - size_t{3}});
    answer(ends, which, code, script.subspan(3, length));
    script = script.subspan(3 + length);
  }
  return 0;
}
