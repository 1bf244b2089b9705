// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/schemas.h"

#include <gtest/gtest.h>
#include <onnx/defs/schema.h>

namespace casemate::engine {
namespace {

TEST(Schemas, are_those_of_the_registry) {
  size_t compared = 0;
  for (const onnx::OpSchema& known : onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
    const onnx::OpSchema* schema = schema_of(known.Name(), known.SinceVersion(), known.domain());
    ASSERT_NE(schema, nullptr) << known.domain() << " " << known.Name();
    EXPECT_EQ(schema->Name(), known.Name());
    EXPECT_EQ(schema->domain(), known.domain());
    EXPECT_EQ(schema->SinceVersion(), known.SinceVersion()) << known.Name();
    EXPECT_EQ(schema->min_input(), known.min_input()) << known.Name();
    EXPECT_EQ(schema->max_output(), known.max_output()) << known.Name();
    EXPECT_EQ(schema->attributes().size(), known.attributes().size()) << known.Name();
    EXPECT_EQ(schema->HasFunction(), known.HasFunction()) << known.Name();
    ++compared;
  }
  EXPECT_GT(compared, 500u);
}

TEST(Schemas, are_the_newest_that_the_operator_set_had) {
  EXPECT_EQ(schema_of("Relu", 13, "")->SinceVersion(), 13);
  EXPECT_EQ(schema_of("Relu", 12, "")->SinceVersion(), 6);
  EXPECT_EQ(schema_of("Gelu", 19, ""), nullptr);
  EXPECT_EQ(schema_of("Relu", 13, "ai.onnx.ml"), nullptr);
  EXPECT_EQ(schema_of("No", 13, ""), nullptr);
}

}  // namespace
}  // namespace casemate::engine
