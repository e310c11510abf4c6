// The packing experiment of openb: what one seed takes, from the files to the last figure.

#include "twin/pack.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "bench.h"
#include "input.h"

namespace tenbin::bench {

namespace {

double seconds_of(const std::string& folder) {
  return 1 / per_second(1, [&] {
           const auto nodes = read_openb_nodes(folder + "openb_node_list_gpu_node.csv.gz");
           const auto pods = read_trace(folder + "openb_pod_list_default.csv.gz",
                                        {.format = TraceFormat::openb, .cpu_jobs = true});
           if (!nodes || !pods) {
             std::fprintf(stderr, "bench: openb cannot be read\n");
             std::exit(1);
           }
           const auto result = pack(*nodes, pods->jobs, pods->names, {});
           if (!result) {
             std::fprintf(stderr, "bench: %s\n", result.error().what.c_str());
             std::exit(1);
           }
           keep(result->history);
         });
}

std::vector<Measurement> pack_fgd_default(const Options& options) {
  const std::string folder = shared_folder() + "/traces/openb/";
  if (!std::filesystem::exists(folder)) {
    std::fprintf(stderr, "bench: pack_fgd_default is left out: no %s\n", folder.c_str());
    return {};
  }
  return {in_turn(
      {.name = "pack_fgd_default",
       .unit = "s",
       .limit_name = "asked for",
       .note = "files read, one seed, 130 % of the demand, targets from the list; the "
               "published artifact says about 10 minutes, for more (Kubernetes objects)"},
      options, [&] { return seconds_of(folder); }, [] { return 1.5; })};
}

const Registered pack_fgd{"pack_fgd_default", pack_fgd_default};

}  // namespace

}  // namespace tenbin::bench
