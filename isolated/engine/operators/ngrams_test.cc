// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Floats32 = std::vector<float>;
using Numbers64 = std::vector<int64_t>;

// One-grams 2 3 5 4, two-grams 5 6, 7 8 and 6 7, as in the specification's tests.
Attributes attributes(int64_t shortest, int64_t longest, int64_t skips, std::string mode = "TF") {
  return {{"min_gram_length", shortest},
          {"max_gram_length", longest},
          {"max_skip_count", skips},
          {"mode", std::move(mode)},
          {"ngram_counts", Numbers64{0, 4}},
          {"ngram_indexes", Numbers64{0, 1, 2, 3, 4, 5, 6}},
          {"pool_int64s", Numbers64{2, 3, 5, 4, 5, 6, 7, 8, 6, 7}}};
}

const Tensor kTokens = Tensor::of<int32_t>({12}, {1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8});

Floats32 counts(const Attributes& attributes, const Tensor& tokens = kTokens) {
  return values_of<float>(run_node({"TfIdfVectorizer", attributes, {tokens}}));
}

TEST(TfIdfVectorizer, counts_tokens_at_distances) {
  EXPECT_EQ(counts(attributes(2, 2, 0)), (Floats32{0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(counts(attributes(2, 2, 5)), (Floats32{0, 0, 0, 0, 1, 3, 1}));
  EXPECT_EQ(counts(attributes(1, 2, 5)), (Floats32{0, 3, 1, 0, 1, 3, 1}));
  EXPECT_EQ(counts(attributes(1, 1, INT64_MAX)), (Floats32{0, 3, 1, 0, 0, 0, 0}));
  const Tensor rows = Tensor::of<int64_t>({2, 6}, {1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8});
  EXPECT_EQ(counts(attributes(2, 2, 0), rows),
            (Floats32{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1}));
}

TEST(TfIdfVectorizer, weighs_each_ngram_of_its_pool) {
  Attributes weighed = attributes(1, 1, 0, "TFIDF");
  weighed.set("weights", Floats32{1, 0.5F, 3, 1, 1, 1, 1});
  EXPECT_EQ(counts(weighed), (Floats32{0, 1.5F, 3, 0, 0, 0, 0}));
  weighed.set("mode", "IDF");
  EXPECT_EQ(counts(weighed), (Floats32{0, 0.5F, 3, 0, 0, 0, 0}));
  weighed.set("ngram_indexes", Numbers64{0, 2, 1, 3, 4, 5, 6});
  EXPECT_EQ(counts(weighed), (Floats32{0, 3, 0.5F, 0, 0, 0, 0}));
}

TEST(TfIdfVectorizer, takes_words_as_well) {
  const Attributes words = {{"min_gram_length", int64_t{1}},
                            {"max_gram_length", int64_t{2}},
                            {"max_skip_count", int64_t{0}},
                            {"mode", "TF"},
                            {"ngram_counts", Numbers64{0, 1}},
                            {"ngram_indexes", Numbers64{0, 2}},
                            {"pool_strings", std::vector<std::string>{"a", "b", "a"}}};
  const Tensor x = *Tensor::make({4}, std::vector<std::string>{"a", "b", "a", "a"});
  EXPECT_EQ(counts(words, x), (Floats32{3, 0, 1}));
  EXPECT_EQ(counts(words, *Tensor::make({0}, std::vector<std::string>())), (Floats32{0, 0, 0}));
  EXPECT_EQ(error_of(run_node({"TfIdfVectorizer", words, {kTokens}})),
            "its input 0 is a tensor of INT32, it takes one of BYTES");
}

TEST(TfIdfVectorizer, attributes_that_do_not_agree_are_refused) {
  const auto error = [](std::string_view name, Attribute value) {
    Attributes wrong = attributes(1, 2, 0);
    wrong.set(name, std::move(value));
    return error_of(run_node({"TfIdfVectorizer", wrong, {kTokens}}));
  };
  EXPECT_EQ(error("max_gram_length", int64_t{3}),
            "its n-grams have 1 to 3 tokens, attribute 'ngram_counts' is of 1 to 2");
  EXPECT_EQ(error("min_gram_length", int64_t{0}),
            "its n-grams have 0 to 2 tokens, attribute 'ngram_counts' is of 1 to 2");
  EXPECT_EQ(error("max_skip_count", int64_t{-1}), "attribute 'max_skip_count' is -1");
  EXPECT_EQ(error("mode", "BOTH"), "attribute 'mode' is 'BOTH', expected TF, IDF or TFIDF");
  EXPECT_EQ(error("ngram_counts", Numbers64{0, 3}),
            "its n-grams of 2 tokens lie from 3 to 10 in a pool of 10");
  EXPECT_EQ(error("ngram_counts", Numbers64{-4, 4}),
            "its n-grams of 1 tokens lie from -4 to 4 in a pool of 10");
  EXPECT_EQ(error("ngram_counts", Numbers64{0, INT64_MAX}),
            "its n-grams of 1 tokens lie from 0 to 9223372036854775807 in a pool of 10");
  EXPECT_EQ(error("ngram_indexes", Numbers64{0, 1}),
            "its pool has 7 n-grams, attribute 'ngram_indexes' 2 elements");
  EXPECT_EQ(error("ngram_indexes", Numbers64{0, 1, 2, 3, 4, 5, -6}),
            "attribute 'ngram_indexes' has no element, or one that is no index");
  EXPECT_EQ(error("ngram_indexes", Numbers64{0, 1, 2, 3, 4, 5, 1 << 30}),
            "more than a test may have");
  EXPECT_EQ(error("weights", Floats32{1}), "attribute 'weights' has 1 elements, 'ngram_indexes' 7");
  EXPECT_EQ(error("pool_strings", std::vector<std::string>{"a"}),
            "it needs one of the attributes 'pool_strings' and 'pool_int64s'");
}

}  // namespace
}  // namespace casemate::engine
