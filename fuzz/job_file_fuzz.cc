// Any bytes may be handed in as a job file. What is taken is a request that is JSON.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "cli/files.h"
#include "codec/index_list.h"
#include "codec/json.h"
#include "codec/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tenbin;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const cli::Surroundings around{.variable = [](const char*) { return std::string(); },
                                 .out = [](std::string_view) {},
                                 .err = [](std::string_view) {},
                                 .sleep = [](Span) {}};
  const cli::Context context(around);
  const auto job = cli::parse_job_file(context, text, "fuzz.toml");
  if (!job) {
    TENBIN_ASSERT(!job.error().why.empty());
    return 0;
  }
  if (job->array) TENBIN_ASSERT(IndexList::parse(*job->array).has_value());
  for (const auto& file : {job->output, job->error}) TENBIN_ASSERT(!file || stays_below(*file));
  JsonDocument document;
  TENBIN_ASSERT(document.parse(job->json()).has_value());
  return 0;
}
