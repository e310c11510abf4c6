#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "live/ports.h"

namespace tenbin::exec {

struct LocalSettings {
  std::string attempt_directory;  // a folder per attempt while it matters; ours alone
  std::string work_directory;     // a folder per job, kept; the job account must be able to enter
  std::string output_directory;   // what members wrote, kept
  // Whom members run as when the service runs as root (else as the service itself). This account,
  // which must exist and not be root; if not, every attempt ends as launch_failed.
  std::string job_account = "nobody";
  // If not 0, nameless accounts instead, one for each project: this number plus the project's id.
  std::uint32_t project_accounts = 0;
  // Work stops when the service has been silent for so long. Whatever is lost is reported that much
  // later at most.
  Span lease{10'000};
  // Runs supervise(DIR, TOKEN) (supervisor.h); the two arguments are added.
  std::vector<std::string> supervisor = {"/proc/self/exe", "supervise"};
  // The soft limit on open files that jobs get. A service raises its own, and programs that use
  // select() or close every descriptor there may be suffer from a high one. None: as the service's.
  std::optional<std::uint64_t> open_files;
  // Trouble that is nobody's end, for an operator. From the executor's thread. May be empty.
  std::function<void(const std::string&)> log;
};

/// Whether accounts with 65,536 numbers from `first` on can be used here: in a user namespace most
/// do not exist.
bool accounts_can_have(std::uint32_t first);

/// Makes attempts run on this machine, each under a supervisor of its own that outlives the
/// service. Promises, whatever is killed and whenever:
/// - an attempt is run at most once, and nothing of it runs when its end is told;
/// - `lost` is told only when the last lease has ended and nobody holds the attempt's lock, so
///   that the job may be started elsewhere at once;
/// - an end that came while there was no service is told after the next start().
/// One thread of its own does everything; calls from any thread only leave a note for it.
/// Destroying it ends that thread and leaves the attempts running.
class LocalExecutor final : public Executor {
 public:
  /// Makes the three folders if they are not there. Errors: one cannot be made; the lease is
  /// shorter than 100 ms; whom jobs run as cannot enter the work folder.
  static Result<std::unique_ptr<LocalExecutor>> open(LocalSettings settings);
  ~LocalExecutor() override;

  void listen(std::function<void(AttemptEnd)> listener) override;
  void start(AttemptSpec spec) override;
  void stop(AttemptId id) override;
  void forget(AttemptId id) override;
  std::string output_file(AttemptId id, int rank, std::string_view stream) const override;

  /// Attempts that have a folder here, for example because the service ended between the record of
  /// an end and forget(). What the World does not run may be forgotten. May be called from any
  /// thread.
  std::vector<AttemptId> kept() const;

  struct Figures {
    std::uint64_t attempts = 0;         // that this service looks after
    std::uint64_t supervisors = 0;      // of them with a supervisor that answers
    std::uint64_t launches = 0;         // since the process began
    std::uint64_t renewals_failed = 0;  // a supervisor did not answer a renewal, or hung up
  };
  /// As of the last moment at which the executor's thread looked. From any thread.
  Figures figures() const;

 private:
  class Loop;
  explicit LocalExecutor(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace tenbin::exec
