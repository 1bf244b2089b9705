// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/attention.h"

#include <algorithm>
#include <limits>

#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/kernels/vector_loops.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Multiply-adds from which on more than one thread is worth waking.
constexpr double kWorkForThreads = 1e6;

// Where an operand begins and its steps; see attention.h.
struct Walk {
  int64_t offset = 0;
  int64_t item = 0;
  int64_t head = 0;
  int64_t token = 0;
  int64_t column = 1;  // of the mask alone

  [[nodiscard]] int64_t start(int64_t i, int64_t h) const { return offset + i * item + h * head; }
};

struct Sizes {
  int64_t items, heads, queries, keys, past_keys, width, value_width;
};

// The walk, if it stays inside a tensor of `elements` for these extents.
std::optional<Walk> walk_of(const std::vector<int64_t>& numbers, const Sizes& sizes, int64_t tokens,
                            int64_t columns, uint64_t elements) {
  if (numbers.size() < 4) return std::nullopt;
  Walk walk{numbers[0], numbers[1], numbers[2], numbers[3]};
  if (numbers.size() == 5) walk.column = numbers[4];
  const int64_t extents[] = {sizes.items, sizes.heads, tokens, columns};
  const int64_t steps[] = {walk.item, walk.head, walk.token, walk.column};
  if (walk.offset < 0) return std::nullopt;
  int64_t last = walk.offset;
  for (int i = 0; i < 4; ++i) {
    int64_t reach = 0;
    if (steps[i] < 0 || extents[i] <= 0 ||
        __builtin_mul_overflow(extents[i] - 1, steps[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return std::nullopt;
    }
  }
  if (static_cast<uint64_t>(last) >= elements) return std::nullopt;
  return walk;
}

struct Attention {
  Sizes sizes{};
  float scale = 1;
  std::array<std::optional<LoopOperand>, kAttentionOperands.size()> operands;
  std::array<Walk, kAttentionOperands.size()> walks;
  Walk result;
  int64_t scratch = 0;  // floats for one thread
  int threads = 1;

  void run_head(const KernelArguments& arguments, int64_t item, int64_t head, float* memory) const;
};

const float* operand_data(const Attention& given, size_t index, const KernelArguments& arguments,
                          int64_t item, int64_t head) {
  return elements<float>(given.operands[index]->data(arguments)) +
         given.walks[index].start(item, head);
}

void Attention::run_head(const KernelArguments& arguments, int64_t item, int64_t head,
                         float* memory) const {
  const auto data = [&](size_t i) { return operand_data(*this, i, arguments, item, head); };
  HeadAttention one{};
  one.queries = data(0);
  one.query_step = walks[0].token;
  one.query_count = sizes.queries;
  one.parts[1] = {data(1), data(2), walks[1].token, walks[2].token, sizes.keys};
  if (sizes.past_keys > 0)
    one.parts[0] = {data(4), data(5), walks[4].token, walks[5].token, sizes.past_keys};
  if (operands[3]) {
    one.mask = data(3);
    one.mask_row_step = walks[3].token;
    one.mask_step = walks[3].column;
  }
  one.out = elements<float>(arguments.outputs[0]) + result.start(item, head);
  one.out_step = result.token;
  one.width = sizes.width;
  one.value_width = sizes.value_width;
  one.scale = scale;
  one.scratch = memory;
  vector_loops().attend_head(one);
}

bool sizes_of(const Node& node, Sizes& sizes) {
  const std::vector<int64_t> numbers = node.attributes.integers("sizes");
  if (numbers.size() != kAttentionSizes) return false;
  sizes = {numbers[kItems],    numbers[kHeads], numbers[kQueries],   numbers[kKeys],
           numbers[kPastKeys], numbers[kWidth], numbers[kValueWidth]};
  return sizes.past_keys >= 0 && sizes.keys > 0 &&
         std::ranges::all_of(numbers, [](int64_t n) { return n >= 0 && n < (1ll << 31); });
}

// Tokens and columns of each operand.
struct Extents {
  int64_t tokens, columns;
};

Extents extents_of(const Sizes& sizes, size_t operand) {
  const Extents all[] = {
      {sizes.queries, sizes.width},    {sizes.keys, sizes.width},
      {sizes.keys, sizes.value_width}, {sizes.queries, sizes.keys + sizes.past_keys},
      {sizes.past_keys, sizes.width},  {sizes.past_keys, sizes.value_width}};
  return all[operand];
}

KernelResult make_attention(const KernelRequest& request) {
  const Error wrong{Code::kInvalid, "an attention would read or write outside its tensors"};
  Attention made;
  if (!sizes_of(request.node, made.sizes)) return wrong;
  KernelNeeds needs{.outputs = {Layout::kRowMajor}};
  const Attributes& attributes = request.node.attributes;
  for (size_t i = 0; i < kAttentionOperands.size(); ++i) {
    if (!request.node.input(i).present()) {
      const bool optional = i == 3 || (i > 3 && made.sizes.past_keys == 0);
      if (!optional) return wrong;
      continue;
    }
    const uint64_t count = TRY(request.input_shape(i).element_count());
    const auto [tokens, columns] = extents_of(made.sizes, i);
    const auto walk =
        walk_of(attributes.integers(kAttentionOperands[i]), made.sizes, tokens, columns, count);
    if (!walk) return wrong;
    made.walks[i] = *walk;
    made.operands[i] = TRY(loop_operand(request, i, needs));
  }
  const auto result = walk_of(attributes.integers("result"), made.sizes, made.sizes.queries,
                              made.sizes.value_width, TRY(request.output_shape().element_count()));
  if (!result) return wrong;
  made.result = *result;
  made.scale = attributes.real("scale", 1);
  made.scratch = vector_loops().attention_scratch(made.sizes.keys + made.sizes.past_keys,
                                                  made.sizes.width, made.sizes.value_width);
  // One token's attention is done before a second thread has woken up.
  const Sizes& sizes = made.sizes;
  const double work = static_cast<double>(sizes.items * sizes.heads) *
                      static_cast<double>(sizes.queries * (sizes.keys + sizes.past_keys)) *
                      static_cast<double>(sizes.width + sizes.value_width);
  made.threads = work < kWorkForThreads ? 1 : thread_count();
  needs.scratch_bytes = static_cast<uint64_t>(made.scratch) * sizeof(float);
  needs.scratch_of_each_thread = true;
  needs.implementation = vector_loops().name;
  const auto loop = [made](const KernelArguments& arguments) {
    const int64_t heads = made.sizes.items * made.sizes.heads;
    const auto attend = [&](int64_t piece, int thread) {
      made.run_head(arguments, piece / made.sizes.heads, piece % made.sizes.heads,
                    elements<float>(arguments.scratch_of(thread)));
    };
    parallel_for(heads, attend, made.threads);
  };
  return loop_kernel(std::move(needs), loop);
}

}  // namespace

void register_attention(Registry& registry) {
  registry.add(std::string(kAttentionOp), ElementType::kFloat32, Device::kCpu, make_attention);
}

}  // namespace casemate::engine
