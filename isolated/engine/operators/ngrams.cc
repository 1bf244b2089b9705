// SPDX-License-Identifier: Apache-2.0
// TfIdfVectorizer: how often sequences of tokens, the n-grams of its pool, are in its input.
#include <algorithm>
#include <map>

#include "base/format.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

Error refused(std::string text) { return {Code::kInvalid, std::move(text)}; }

struct Settings {
  int64_t length_min = 1;  // tokens of an n-gram
  int64_t length_max = 1;
  int64_t skip_max = 0;                 // tokens between two of an n-gram
  std::string mode = {};                // TF, IDF or TFIDF
  std::vector<int64_t> starts = {};     // in the pool, of the n-grams of each length
  std::vector<int64_t> positions = {};  // in the output, of each n-gram
  std::vector<float> weights = {};      // ditto; none: 1

  [[nodiscard]] int64_t width() const { return std::ranges::max(positions) + 1; }
};

Result<Settings> settings_of(const Computation& c) {
  const Attributes& attributes = c.attributes();
  Settings settings{.length_min = attributes.integer("min_gram_length", 1),
                    .length_max = attributes.integer("max_gram_length", 1),
                    .skip_max = attributes.integer("max_skip_count", 0),
                    .mode = attributes.text("mode", ""),
                    .starts = attributes.integers("ngram_counts"),
                    .positions = attributes.integers("ngram_indexes"),
                    .weights = attributes.reals("weights")};
  const auto lengths = static_cast<int64_t>(settings.starts.size());
  if (settings.length_min < 1 || settings.length_max < settings.length_min ||
      settings.length_max > lengths) {
    return refused(
        formatted("its n-grams have {} to {} tokens, attribute 'ngram_counts' is of "
                  "1 to {}",
                  settings.length_min, settings.length_max, lengths));
  }
  if (settings.skip_max < 0)
    return refused(formatted("attribute 'max_skip_count' is {}", settings.skip_max));
  if (settings.mode != "TF" && settings.mode != "IDF" && settings.mode != "TFIDF") {
    return refused(formatted("attribute 'mode' is '{}', expected TF, IDF or TFIDF", settings.mode));
  }
  if (settings.positions.empty() || std::ranges::min(settings.positions) < 0 ||
      std::ranges::max(settings.positions) >= int64_t{1} << 40) {
    return refused("attribute 'ngram_indexes' has no element, or one that is no index");
  }
  if (!settings.weights.empty() && settings.weights.size() != settings.positions.size()) {
    return refused(formatted("attribute 'weights' has {} elements, 'ngram_indexes' {}",
                             settings.weights.size(), settings.positions.size()));
  }
  return settings;
}

// The pool as a tree: n-grams that begin alike share their beginning.
template <class Token>
class Pool final {
 public:
  static constexpr int64_t kNone = -1;

  static Result<Pool> make(const Settings& settings, std::span<const Token> tokens) {
    Pool pool;
    const auto end = static_cast<int64_t>(tokens.size());
    size_t number = 0;
    for (size_t i = 0; i < settings.starts.size(); ++i) {
      const int64_t first = settings.starts[i];
      const int64_t last = i + 1 < settings.starts.size() ? settings.starts[i + 1] : end;
      const auto length = static_cast<int64_t>(i + 1);
      if (first < 0 || last < first || last > end || (last - first) % length != 0) {
        return refused(formatted("its n-grams of {} tokens lie from {} to {} in a pool of {}",
                                 length, first, last, end));
      }
      const bool wanted = length >= settings.length_min && length <= settings.length_max;
      for (int64_t at = first; at < last; at += length, ++number) {
        if (wanted) pool.add(tokens.subspan(at, length), static_cast<int64_t>(number));
      }
    }
    if (number != settings.positions.size()) {
      return refused(formatted("its pool has {} n-grams, attribute 'ngram_indexes' {} elements",
                               number, settings.positions.size()));
    }
    return pool;
  }

  // The node behind `node` and a token, or kNone; the tree begins at 0.
  [[nodiscard]] int64_t next(int64_t node, const Token& token) const {
    const auto found = edges_.find({node, token});
    return found == edges_.end() ? kNone : found->second;
  }
  // The n-gram that ends at a node, or kNone.
  [[nodiscard]] int64_t ngram(int64_t node) const { return ngrams_[static_cast<size_t>(node)]; }

 private:
  void add(std::span<const Token> tokens, int64_t number) {
    int64_t node = 0;
    for (const Token& token : tokens) {
      const auto fresh = static_cast<int64_t>(ngrams_.size());
      const auto [edge, made] = edges_.try_emplace({node, token}, fresh);
      if (made) ngrams_.push_back(kNone);
      node = edge->second;
    }
    ngrams_[static_cast<size_t>(node)] = number;
  }

  // Ordered, not hashed: the tokens are the model's and the user's, who could choose them to
  // collide.
  std::map<std::pair<int64_t, Token>, int64_t> edges_;
  std::vector<int64_t> ngrams_ = {kNone};
};

// How often each n-gram is in a row, its tokens the same distance apart.
template <class Token, class In>
void count(const Settings& settings, const Pool<Token>& pool, std::span<const In> row,
           std::vector<int64_t>& counts) {
  const auto size = static_cast<int64_t>(row.size());
  int64_t shortest = settings.length_min;
  // Further apart than the row is long there is nothing.
  const int64_t farthest = std::min(settings.skip_max, size) + 1;
  for (int64_t distance = 1; distance <= farthest && shortest <= settings.length_max; ++distance) {
    for (int64_t start = 0; start + distance * (shortest - 1) < size; ++start) {
      int64_t node = 0;
      int64_t at = start;
      for (int64_t length = 1; length <= settings.length_max && at < size;
           ++length, at += distance) {
        node = pool.next(node, Token(row[at]));
        if (node == Pool<Token>::kNone) break;
        const int64_t ngram = pool.ngram(node);
        if (length >= shortest && ngram >= 0) ++counts[ngram];
      }
    }
    // One token alone is the same at every distance.
    shortest = std::max<int64_t>(shortest, 2);
  }
}

template <class Token, class In>
Status vectorize(Computation& c, const Settings& settings, std::span<const Token> tokens) {
  const Shape& shape = c.shape(0);
  if (shape.rank() > 2) {
    return refused(formatted("its input {} needs the shape [C] or [N,C]", shape.text()));
  }
  const Pool<Token> pool = TRY(Pool<Token>::make(settings, tokens));
  const int64_t width = settings.width();
  const bool rows = shape.rank() == 2;
  const auto y = TRY(c.make<float>(0, rows ? Shape{shape[0], width} : Shape{width}));
  const auto x = TRY(c.values<In>(0));
  std::ranges::fill(y, 0.0F);
  if (x.empty()) return {};
  const size_t row_count = y.size() / static_cast<size_t>(width);
  const size_t row_size = x.size() / row_count;
  for (size_t n = 0; n < row_count; ++n) {
    std::vector<int64_t> counts(settings.positions.size());
    count(settings, pool, x.subspan(n * row_size, row_size), counts);
    const auto to = y.subspan(n * static_cast<size_t>(width), static_cast<size_t>(width));
    for (size_t i = 0; i < counts.size(); ++i) {
      const auto times = static_cast<float>(counts[i]);
      const float weight = settings.weights.empty() ? 1 : settings.weights[i];
      to[settings.positions[i]] += settings.mode == "TF"    ? times
                                   : settings.mode == "IDF" ? (times > 0 ? weight : 0)
                                                            : times * weight;
    }
  }
  return {};
}

Status compute_tf_idf_vectorizer(Computation& c) {
  const Settings settings = TRY(settings_of(c));
  const bool text = c.attributes().has("pool_strings");
  if (text == c.attributes().has("pool_int64s"))
    return refused("it needs one of the attributes 'pool_strings' and 'pool_int64s'");
  if (text) {
    const auto tokens = c.attributes().texts("pool_strings");
    return vectorize<std::string, std::string>(c, settings, tokens);
  }
  const auto tokens = c.attributes().integers("pool_int64s");
  if (c.type(0) == ElementType::kInt32) return vectorize<int64_t, int32_t>(c, settings, tokens);
  return vectorize<int64_t, int64_t>(c, settings, tokens);
}

}  // namespace

void add_ngrams(Operators& operators) {
  operators.add("TfIdfVectorizer", compute_tf_idf_vectorizer);
}

}  // namespace casemate::engine
