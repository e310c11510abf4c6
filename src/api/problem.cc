#include "api/problem.h"

#include <algorithm>
#include <array>

#include "codec/json.h"

namespace tenbin {

namespace {

net::Response as_response(int status, std::string body) {
  return {.status = status, .content_type = "application/problem+json", .body = std::move(body)};
}

/// What kind of problem it is, for people: RFC 9457 wants the same words for the same type.
std::string title_of(std::string_view code) {
  std::string title(code);
  std::ranges::replace(title, '_', ' ');
  return title;
}

/// Without a language the detail is in both.
void write_texts(JsonWriter& out, std::string_view english, std::string_view japanese,
                 std::optional<Language> language) {
  if (!language) {
    out.member("detail", std::string(english) + " / " + std::string(japanese));
  } else {
    out.member("detail", *language == Language::japanese ? japanese : english);
  }
  out.key("texts").begin_object().member("en", english).member("ja", japanese).end_object();
}

}  // namespace

Language language_of(std::string_view accept) {
  // The first of the two languages that is named wins; weights are rarely sent and not needed here.
  const std::size_t ja = accept.find("ja"), en = accept.find("en");
  return ja != std::string_view::npos && (en == std::string_view::npos || ja < en)
             ? Language::japanese
             : Language::english;
}

int status_of(Reason reason) {
  using enum Reason;
  switch (reason) {
    case not_permitted:
    case token_read_only: return 403;
    case unknown_funder:
    case unknown_programme:
    case unknown_organisation:
    case unknown_grant:
    case unknown_lot:
    case unknown_project:
    case unknown_person:
    case unknown_token:
    case unknown_provider:
    case unknown_region:
    case unknown_gpu_model:
    case unknown_pool:
    case unknown_node:
    case unknown_after:
    case unknown_job: return 404;
    case insufficient_credit:
    case no_credit:
    case insufficient_grant:
    case commitment_exceeded: return 402;
    case name_taken:
    case name_in_use:
    case last_officer:
    case person_disabled:
    case commitment_in_use:
    case lot_in_use:
    case allocation_in_use:
    case lot_expired:
    case lot_not_expired:
    case job_not_running:
    case job_not_waiting:
    case too_many_live_jobs:
    case job_already_stopping:
    case job_settled:
    case node_not_up:
    case request_reused:
    case quarantined: return 409;
    case name_invalid:
    case title_too_long:
    case text_invalid:
    case too_many:
    case amount_must_be_positive:
    case amount_too_large:
    case currency_invalid:
    case validity_invalid:
    case expiry_past:
    case role_invalid:
    case scope_invalid:
    case price_invalid:
    case targets_invalid:
    case node_shape_invalid:
    case resources_invalid:
    case pool_is_counted:
    case members_invalid:
    case tasks_invalid:
    case tasks_at_once_invalid:
    case after_invalid:
    case retries_invalid:
    case labels_invalid:
    case gpus_must_be_positive:
    case gpus_not_whole:
    case time_limit_invalid:
    case request_too_large:
    case no_pool_fits: return 422;
  }
  return 422;
}

std::string problem_json(const Refusal& refusal, Language language) {
  const ReasonText& reason = text_of(refusal.reason);
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  out.member("type", "urn:tenbin:" + std::string(reason.name));
  out.member("title", title_of(reason.name));
  out.member("status", status_of(refusal.reason));
  out.member("code", reason.name);
  write_texts(out, text_of(refusal, Language::english), text_of(refusal, Language::japanese),
              language);
  out.key("figures").begin_array();
  for (std::size_t i = 0; i < reason.figures.size() && reason.figures[i] != Figure::none; ++i) {
    out.value(text_of_figure(reason.figures[i], refusal.figures[i]));
  }
  out.end_array().end_object();
  return body;
}

std::string problem_json(const Complaint& complaint, std::optional<Language> language) {
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  out.member("type", "urn:tenbin:" + complaint.code);
  out.member("title", title_of(complaint.code));
  out.member("status", complaint.status);
  out.member("code", complaint.code);
  write_texts(out, complaint.english, complaint.japanese, language);
  out.key("figures").begin_array().end_array().end_object();
  return body;
}

net::Response problem(const Complaint& complaint, Language language) {
  net::Response response = as_response(complaint.status, problem_json(complaint, language));
  if (complaint.status == 401)
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"tenbin\"");
  if (complaint.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}
net::Response problem(const Refusal& refusal, Language language) {
  return as_response(status_of(refusal.reason), problem_json(refusal, language));
}

net::Response server_problem(int status, std::string_view code) {
  struct Words {
    std::string_view code, english, japanese;
  };
  static constexpr std::array<Words, 7> all{{
      {"malformed_request", "this is not an HTTP/1.1 request",
       "HTTP/1.1 のリクエストとして読めません"},
      {"request_timeout", "the request did not arrive in time; send it again",
       "リクエストが時間内に届きませんでした。再送してください"},
      {"body_too_large", "the body is too large", "本文が大きすぎます"},
      {"header_too_large", "the header is too large", "ヘッダーが大きすぎます"},
      {"too_many_connections", "too many connections; try again later",
       "接続が多すぎます。後で再試行してください"},
      {"too_busy", "requests under way fill the room that there is for them; try again later",
       "処理中の要求が多く、受け付けられません。後で再試行してください"},
      {"too_many_streams", "too many streams of events are open; try again later",
       "開いているイベントストリームが多すぎます。後で再試行してください"},
  }};
  Complaint complaint = internal_error();
  complaint.status = status;
  for (const Words& w : all) {
    if (w.code == code)
      complaint = {status, std::string(code), std::string(w.english), std::string(w.japanese)};
  }
  return as_response(status, problem_json(complaint, std::nullopt));
}

Complaint internal_error() {
  return {500, "internal_error", "this is a fault of the service; see its log",
          "サービスの不具合です。ログを確認してください"};
}
Complaint history_behind() {
  return {503, "history_behind",
          "the record of past jobs is still catching up with the journal; ask again in a second",
          "終了したジョブの記録がジャーナルにまだ追いついていません。1 "
          "秒後に再度お試しください"};
}

Complaint invalid_field(std::string_view field, std::string_view english,
                        std::string_view japanese) {
  return {400, "invalid_field", std::string(field) + ": " + std::string(english),
          std::string(field) + "：" + std::string(japanese)};
}
Complaint not_found() {
  return {404, "not_found", "there is nothing here, or nothing that you may see",
          "存在しないか、閲覧権限がありません"};
}

}  // namespace tenbin
