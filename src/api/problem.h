#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/text.h"
#include "net/http.h"

namespace tenbin {

/// What a request is refused with by the API itself, before any command is asked. `english` and
/// `japanese` say what is wrong and what to do.
struct Complaint {
  int status = 400;
  std::string code;  // see docs/api.md
  std::string english, japanese;
};

Language language_of(std::string_view accept_language);

/// RFC 9457 problems.
net::Response problem(const Complaint& complaint, Language language);
net::Response problem(const Refusal& refusal, Language language);
int status_of(Reason reason);

/// The JSON of a refusal's problem, to be put inside other answers.
std::string problem_json(const Refusal& refusal, Language language);
/// Without a language its detail is in both.
std::string problem_json(const Complaint& complaint, std::optional<Language> language);

/// For what the HTTP server finds by itself, before it is known who reads the answer: the detail is
/// in both languages.
net::Response server_problem(int status, std::string_view code);
/// A fault of the service.
Complaint internal_error();
/// The history lags behind the journal, so what is over cannot be told. Carries Retry-After.
Complaint history_behind();

Complaint invalid_field(std::string_view field, std::string_view english,
                        std::string_view japanese);
Complaint not_found();

}  // namespace tenbin
