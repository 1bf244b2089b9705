// SPDX-License-Identifier: Apache-2.0
// Any text as a request head, and as a chunked body that arrives in pieces of any size: the pieces
// must make no difference to the body that comes out.
//
//   input: size of the pieces | text

#include <string>

#include "base/check.h"
#include "isolated/gateway/http/inflate.h"
#include "isolated/gateway/http/request_head.h"

namespace {

using namespace casemate;
using namespace casemate::gateway;

constexpr std::string_view kHead =
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Collector final : ChunkReader::Sink {
  std::string content;
  std::optional<Refusal> take(Bytes bytes) override {
    content += text_of(bytes);
    return std::nullopt;
  }
};

struct Read {
  bool refused = false;
  bool done = false;
  std::string content;
};

Read read_chunks(std::string_view text, size_t step) {
  const auto reader = ChunkReader::make(kHead);
  Collector collector;
  std::string window;
  Read result;
  while (!reader->done()) {
    const auto used = reader->feed(bytes_of(std::string_view(window)), collector);
    if (!used) {
      result.refused = true;
      break;
    }
    CHECK(*used <= window.size(), "no more is used than there is");
    window.erase(0, *used);
    if (*used > 0) continue;
    if (text.empty()) break;
    window += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
  }
  result.done = reader->done();
  result.content = std::move(collector.content);
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text = text_of(Bytes(data + 1, size - 1));
  if (const size_t head = head_size(text); head != 0) (void)parse_head(text.substr(0, head));
  const Read whole = read_chunks(text, text.size());
  const Read pieces = read_chunks(text, 1 + data[0] % 7);
  CHECK(whole.done == pieces.done, "pieces make no difference");
  if (whole.done) CHECK(whole.content == pieces.content, "pieces make no difference");
  for (const Encoding encoding : {Encoding::kGzip, Encoding::kDeflate}) {
    Budget budget(1 << 20);
    Body body(budget, 1 << 16);
    const auto inflater = Inflater::make(encoding);
    if (!inflater->feed(bytes_of(text), body)) (void)inflater->finish();
    CHECK(body.size() <= 1 << 16, "the limit holds");
  }
  return 0;
}
