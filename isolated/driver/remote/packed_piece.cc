// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/remote/packed_piece.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::driver::remote {
namespace {

using engine::Attribute;
using engine::Graph;
using engine::Made;
using engine::Node;
using engine::Tensor;
using engine::ValueId;

constexpr uint64_t kMagic = 0x3130454345495043;  // "CPIECE01"
constexpr uint32_t kAbsent = UINT32_MAX;
constexpr int64_t kBatchMax = 1 << 20;

enum class Tag : uint8_t { kInteger, kReal, kText, kIntegers, kReals, kTexts, kTensor, kTensors };

class Writer final {
 public:
  template <class T>
  void number(T value) {
    const Bytes bytes = bytes_of(value);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void count(size_t value) { number(static_cast<uint32_t>(value)); }
  void text(std::string_view value) {
    count(value.size());
    const Bytes bytes = bytes_of(value);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void shape(const Shape& shape) {
    number(static_cast<uint8_t>(shape.rank()));
    for (const int64_t extent : shape.dims()) number(extent);
  }
  Status tensor(const Tensor& tensor) {
    if (tensor.type() == ElementType::kString)
      return Error{Code::kUnsupported, "text does not lie in a device's memory"};
    number(static_cast<uint32_t>(tensor.type()));
    shape(tensor.shape());
    const Bytes bytes = tensor.loose_bytes();
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return {};
  }
  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

class Reader final {
 public:
  explicit Reader(Bytes bytes) : left_(bytes), size_(bytes.size()) {}

  [[nodiscard]] Error wrong(std::string_view what) const {
    return {Code::kInvalid, formatted("a piece, byte {}: {}", size_ - left_.size(), what)};
  }
  Result<Bytes> bytes(uint64_t count) {
    if (count > left_.size()) return wrong("it ends too soon");
    const Bytes taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  template <class T>
  Result<T> number() {
    return load<T>(TRY(bytes(sizeof(T))));
  }
  // Of things that take `least` bytes each, so that memory is not made for what is not there.
  Result<uint32_t> count(uint64_t least) {
    const auto found = TRY(number<uint32_t>());
    if (found > left_.size() / least) return wrong("it counts more than it has");
    return found;
  }
  Result<std::string> text() { return std::string(text_of(TRY(bytes(TRY(count(1)))))); }
  Result<Shape> shape() {
    const auto rank = TRY(number<uint8_t>());
    if (rank > limits::kRank) return wrong("a shape has too many extents");
    std::array<int64_t, limits::kRank> extents{};
    for (uint8_t i = 0; i < rank; ++i) {
      extents[i] = TRY(number<int64_t>());
      if (extents[i] < 0) return wrong("an extent is negative");
    }
    return Shape(std::span(extents).first(rank));
  }
  Result<ElementType> type() {
    const auto type = element_type_from(TRY(number<uint32_t>()));
    if (!type || size_of(*type) == 0) return wrong("an element type is no device's");
    return *type;
  }
  Result<Tensor> tensor() {
    const ElementType element = TRY(type());
    const Shape extents = TRY(shape());
    const Bytes elements = TRY(bytes(TRY(engine::tensor_bytes(element, extents))));
    return Tensor::make(element, extents, std::string(text_of(elements)));
  }
  [[nodiscard]] bool done() const { return left_.empty(); }

 private:
  Bytes left_;
  size_t size_;
};

// --- Packing.

class Packer final {
 public:
  explicit Packer(const Graph& piece) : piece_(piece), numbers_(piece.value_count(), kAbsent) {}

  Result<std::vector<uint8_t>> pack() {
    out_.number(kMagic);
    out_.number(piece_.batch_sizes().front());
    out_.count(piece_.inputs().size());
    for (const ValueId id : piece_.inputs()) TRY(made(id));
    TRY(constants());
    out_.count(piece_.nodes().size());
    for (const Node& node : piece_.nodes()) TRY(pack_node(node));
    out_.count(piece_.outputs().size());
    for (const ValueId id : piece_.outputs()) out_.number(numbers_[id.index]);
    return out_.take();
  }

 private:
  Status made(ValueId id) {
    const engine::Value& value = piece_.value(id);
    if (size_of(value.type) == 0) {
      return Error{Code::kUnsupported, formatted("value '{}': {} does not lie in a device's memory",
                                                 value.name, name_of(value.type))};
    }
    numbers_[id.index] = next_++;
    out_.text(value.name);
    out_.number(static_cast<uint32_t>(value.type));
    out_.shape(value.shapes.front());
    return {};
  }

  Status constants() {
    std::vector<ValueId> ids;
    const auto add = [&](ValueId id) {
      if (id.present() && piece_.constant(id) != nullptr && !std::ranges::contains(ids, id))
        ids.push_back(id);
    };
    for (const Node& node : piece_.nodes()) std::ranges::for_each(node.inputs, add);
    std::ranges::for_each(piece_.outputs(), add);
    std::erase_if(ids, [&](ValueId id) { return numbers_[id.index] != kAbsent; });
    out_.count(ids.size());
    for (const ValueId id : ids) {
      numbers_[id.index] = next_++;
      out_.text(piece_.value(id).name);
      TRY(out_.tensor(*piece_.constant(id)));
    }
    return {};
  }

  Status pack_node(const Node& node) {
    out_.text(node.op);
    out_.text(node.name);
    out_.number(static_cast<int32_t>(node.since));
    out_.number(static_cast<uint8_t>(node.raw));
    out_.text(text_of(node.type_groups));
    out_.count(node.inputs.size());
    for (const ValueId id : node.inputs) out_.number(id.present() ? numbers_[id.index] : kAbsent);
    out_.count(node.post_ops.size());
    for (const engine::PostOp& post : node.post_ops) {
      out_.text(post.op);
      out_.number(post.alpha);
      out_.number(post.beta);
      out_.number(static_cast<int32_t>(post.operand));
    }
    out_.count(node.attributes.all().size());
    for (const auto& [name, attribute] : node.attributes.all()) {
      out_.text(name);
      TRY(pack_attribute(node, attribute));
    }
    out_.count(node.outputs.size());
    for (const ValueId id : node.outputs) {
      out_.number(static_cast<uint8_t>(id.present()));
      if (id.present()) TRY(made(id));
    }
    return {};
  }

  template <class T, class Each>
  Status list(Tag tag, const std::vector<T>& values, Each each) {
    out_.number(tag);
    out_.count(values.size());
    for (const T& value : values) TRY(Status(each(value)));
    return {};
  }

  Status pack_attribute(const Node& node, const Attribute& attribute) {
    const auto number = [&](const auto& value) { return out_.number(value), Status(); };
    const auto text = [&](const std::string& value) { return out_.text(value), Status(); };
    const auto tensor = [&](const Tensor& value) { return out_.tensor(value); };
    if (const auto* integer = std::get_if<int64_t>(&attribute))
      return out_.number(Tag::kInteger), number(*integer);
    if (const auto* real = std::get_if<float>(&attribute))
      return out_.number(Tag::kReal), number(*real);
    if (const auto* word = std::get_if<std::string>(&attribute))
      return out_.number(Tag::kText), text(*word);
    if (const auto* one = std::get_if<Tensor>(&attribute))
      return out_.number(Tag::kTensor), tensor(*one);
    if (const auto* integers = std::get_if<std::vector<int64_t>>(&attribute))
      return list(Tag::kIntegers, *integers, number);
    if (const auto* reals = std::get_if<std::vector<float>>(&attribute))
      return list(Tag::kReals, *reals, number);
    if (const auto* words = std::get_if<std::vector<std::string>>(&attribute))
      return list(Tag::kTexts, *words, text);
    if (const auto* tensors = std::get_if<std::vector<Tensor>>(&attribute))
      return list(Tag::kTensors, *tensors, tensor);
    return Error{Code::kUnsupported,
                 formatted("node '{}' ({}): no device runs subgraphs", node.name, node.op)};
  }

  const Graph& piece_;
  std::vector<uint32_t> numbers_;  // by value: its place
  uint32_t next_ = 0;
  Writer out_;
};

// --- Unpacking.

class Unpacker final {
 public:
  explicit Unpacker(Bytes bytes) : in_(bytes) {}

  Result<Graph> unpack() {
    if (TRY(in_.number<uint64_t>()) != kMagic) return in_.wrong("this is no piece");
    const auto batch = TRY(in_.number<int64_t>());
    if (batch < 1 || batch > kBatchMax) return in_.wrong("its batch is none");
    Graph piece({batch});
    const uint32_t inputs = TRY(in_.count(kValueBytes));
    for (uint32_t i = 0; i < inputs; ++i) ids_.push_back(piece.add_input(TRY(made())));
    const uint32_t constants = TRY(in_.count(kValueBytes));
    for (uint32_t i = 0; i < constants; ++i) {
      std::string name = TRY(in_.text());
      ids_.push_back(piece.add_constant(std::move(name), TRY(in_.tensor())));
    }
    const uint32_t nodes = TRY(in_.count(kNodeBytes));
    for (uint32_t i = 0; i < nodes; ++i) TRY(add_node(piece));
    const uint32_t outputs = TRY(in_.count(sizeof(uint32_t)));
    for (uint32_t i = 0; i < outputs; ++i) piece.add_output(TRY(known(true)));
    if (!in_.done()) return in_.wrong("something is behind its end");
    TRY(piece.sound());
    return piece;
  }

 private:
  // The least that one of each takes.
  static constexpr uint64_t kValueBytes = 9;
  static constexpr uint64_t kNodeBytes = 29;
  static constexpr uint64_t kPostBytes = 16;

  Result<Made> made() {
    Made made;
    made.name = TRY(in_.text());
    // The graph takes one without a name for none.
    if (made.name.empty()) return in_.wrong("a value has no name");
    made.type = TRY(in_.type());
    made.shapes = {TRY(in_.shape())};
    TRY(engine::tensor_bytes(made.type, made.shapes.front()));
    return made;
  }

  Result<ValueId> known(bool needed) {
    const auto number = TRY(in_.number<uint32_t>());
    if (number == kAbsent && !needed) return ValueId{};
    if (number >= ids_.size()) return in_.wrong("a value is read that is not there");
    return ids_[number];
  }

  Status add_node(Graph& piece) {
    Node node;
    node.op = TRY(in_.text());
    node.name = TRY(in_.text());
    node.since = TRY(in_.number<int32_t>());
    node.raw = TRY(in_.number<uint8_t>()) != 0;
    const Bytes groups = TRY(in_.bytes(TRY(in_.count(1))));
    node.type_groups.assign(groups.begin(), groups.end());
    const uint32_t inputs = TRY(in_.count(sizeof(uint32_t)));
    for (uint32_t i = 0; i < inputs; ++i) node.inputs.push_back(TRY(known(false)));
    const uint32_t posts = TRY(in_.count(kPostBytes));
    for (uint32_t i = 0; i < posts; ++i) {
      engine::PostOp& post = node.post_ops.emplace_back();
      post.op = TRY(in_.text());
      post.alpha = TRY(in_.number<float>());
      post.beta = TRY(in_.number<float>());
      post.operand = TRY(in_.number<int32_t>());
      if (post.operand < -1) return in_.wrong("a post-operation reads no input");
    }
    const uint32_t attributes = TRY(in_.count(sizeof(uint32_t) + sizeof(Tag)));
    for (uint32_t i = 0; i < attributes; ++i) {
      const std::string name = TRY(in_.text());
      node.attributes.set(name, TRY(attribute()));
    }
    return add_made(piece, std::move(node));
  }

  Status add_made(Graph& piece, Node node) {
    const uint32_t outputs = TRY(in_.count(1));
    if (outputs == 0) return in_.wrong("a node makes nothing");
    std::vector<Made> list;
    for (uint32_t i = 0; i < outputs; ++i) {
      if (TRY(in_.number<uint8_t>()) != 0) {
        list.push_back(TRY(made()));
      } else {
        list.push_back({"", ElementType::kNone, {Shape{}}});
      }
    }
    // Passes and drivers ask for the first.
    if (list.front().name.empty()) return in_.wrong("a node does not make its first output");
    piece.add_node(std::move(node), std::move(list));
    for (const ValueId id : piece.nodes().back().outputs) {
      if (id.present()) ids_.push_back(id);
    }
    return {};
  }

  template <class T, class Each>
  Result<Attribute> list(uint64_t least, Each each) {
    std::vector<T> values;
    const uint32_t count = TRY(in_.count(least));
    for (uint32_t i = 0; i < count; ++i) values.push_back(TRY(each()));
    return Attribute(std::move(values));
  }

  Result<Attribute> attribute() {
    const auto text = [&] { return in_.text(); };
    const auto tensor = [&] { return in_.tensor(); };
    switch (static_cast<Tag>(TRY(in_.number<uint8_t>()))) {
      case Tag::kInteger:
        return Attribute(TRY(in_.number<int64_t>()));
      case Tag::kReal:
        return Attribute(TRY(in_.number<float>()));
      case Tag::kText:
        return Attribute(TRY(in_.text()));
      case Tag::kTensor:
        return Attribute(TRY(in_.tensor()));
      case Tag::kIntegers:
        return list<int64_t>(sizeof(int64_t), [&] { return in_.number<int64_t>(); });
      case Tag::kReals:
        return list<float>(sizeof(float), [&] { return in_.number<float>(); });
      case Tag::kTexts:
        return list<std::string>(sizeof(uint32_t), text);
      case Tag::kTensors:
        return list<Tensor>(sizeof(uint32_t) + 1, tensor);
    }
    return in_.wrong("an attribute is of no kind");
  }

  Reader in_;
  std::vector<ValueId> ids_;  // by place
};

}  // namespace

Result<std::vector<uint8_t>> pack(const Graph& piece) {
  CHECK(piece.variant_count() == 1, "a piece has one shape for each value");
  return Packer(piece).pack();
}

Result<Graph> unpack(Bytes bytes) { return Unpacker(bytes).unpack(); }

}  // namespace casemate::driver::remote
