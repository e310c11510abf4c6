#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <utility>

namespace tenbin::net {
namespace {

std::string why() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  if (reason) return reason;
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

// The library's own way to a socket raises SIGPIPE when the other end is gone, which would end the
// command line without a word. This one does not.
int to_socket(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const ssize_t n = ::send(fd, from, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}
int from_socket(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const ssize_t n = ::recv(fd, to, static_cast<std::size_t>(size), 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}
long control_socket(BIO* bio, int what, long, void*) {
  if (what == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
  return what == BIO_CTRL_FLUSH || what == BIO_CTRL_DUP ? 1 : 0;
}
BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tenbin socket");
    if (!made) return made;
    BIO_meth_set_write(made, to_socket);
    BIO_meth_set_read(made, from_socket);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}
bool lead_to(SSL* ssl, int socket) {
  BIO* bio = socket_method() ? BIO_new(socket_method()) : nullptr;
  if (!bio) return false;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return true;
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

struct TlsContext::Impl {
  SSL_CTX* context = nullptr;
  explicit Impl(const SSL_METHOD* method) : context(SSL_CTX_new(method)) {
    if (!context) return;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    // Idle connections give their buffers back; a write may go on from another place in memory.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Who breaks off without a word of goodbye is gone, no more: the length of what travels is told
    // by HTTP itself.
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  }
  ~Impl() { SSL_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
};

Result<TlsContext> TlsContext::for_server(const std::string& certificate_file,
                                          const std::string& key_file) {
  TlsContext made{std::make_shared<Impl>(TLS_server_method())};
  SSL_CTX* context = made.impl->context;
  if (!context) return failed("TLS cannot be used: " + why());
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return failed("the certificate in " + certificate_file + " cannot be used: " + why() +
                  "; a PEM file is expected, the server's own certificate first");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return failed("the key in " + key_file + " cannot be used: " + why() +
                  "; a PEM file without a pass phrase is expected, of this certificate");
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return failed("the key in " + key_file + " is not that of the certificate in " +
                  certificate_file);
  }
  // Resuming costs memory for each client that ever came; a handshake costs a millisecond.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  return made;
}

Result<TlsContext> TlsContext::for_client(const std::string& authorities_file) {
  TlsContext made{std::make_shared<Impl>(TLS_client_method())};
  SSL_CTX* context = made.impl->context;
  if (!context) return failed("TLS cannot be used: " + why());
  const int loaded =
      authorities_file.empty()
          ? SSL_CTX_set_default_verify_paths(context)
          : SSL_CTX_load_verify_locations(context, authorities_file.c_str(), nullptr);
  if (loaded != 1) {
    return failed("the certificates of authorities in " +
                  (authorities_file.empty() ? "the system's folder" : authorities_file) +
                  " cannot be used: " + why());
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return made;
}

struct TlsConnection::Impl {
  std::shared_ptr<TlsContext::Impl> context;
  SSL* ssl = nullptr;
  std::string trouble;

  explicit Impl(const TlsContext& of) : context(of.impl), ssl(SSL_new(of.impl->context)) {}
  ~Impl() { SSL_free(ssl); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Moved moved(int n) {
    if (n > 0) return {static_cast<std::size_t>(n), Io::done};
    switch (SSL_get_error(ssl, n)) {
      case SSL_ERROR_WANT_READ: return {0, Io::wants_readable};
      case SSL_ERROR_WANT_WRITE: return {0, Io::wants_writable};
      case SSL_ERROR_ZERO_RETURN: return {0, Io::closed};
      default: break;
    }
    if (const long verified = SSL_get_verify_result(ssl); verified != X509_V_OK) {
      trouble = std::string("the certificate was not accepted: ") +
                X509_verify_cert_error_string(verified);
      ERR_clear_error();
    } else {
      trouble = why();
    }
    return {0, Io::broken};
  }
};

TlsConnection::TlsConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsConnection::~TlsConnection() = default;

Result<std::unique_ptr<TlsConnection>> TlsConnection::accept(const TlsContext& context,
                                                             int socket) {
  auto impl = std::make_unique<Impl>(context);
  if (!impl->ssl || !lead_to(impl->ssl, socket)) return failed(why());
  SSL_set_accept_state(impl->ssl);
  return std::unique_ptr<TlsConnection>(new TlsConnection(std::move(impl)));
}

Result<std::unique_ptr<TlsConnection>> TlsConnection::connect(const TlsContext& context, int socket,
                                                              const std::string& host) {
  auto impl = std::make_unique<Impl>(context);
  if (!impl->ssl || !lead_to(impl->ssl, socket)) return failed(why());
  X509_VERIFY_PARAM* checks = SSL_get0_param(impl->ssl);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(checks, host.c_str());
  } else {
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(checks, host.c_str(), 0);
    SSL_set_tlsext_host_name(impl->ssl, host.c_str());
  }
  SSL_set_connect_state(impl->ssl);
  return std::unique_ptr<TlsConnection>(new TlsConnection(std::move(impl)));
}

Moved TlsConnection::read(char* to, std::size_t size) {
  ERR_clear_error();
  return impl_->moved(SSL_read(impl_->ssl, to, static_cast<int>(std::min<std::size_t>(size, INT_MAX))));
}

Moved TlsConnection::write(const char* from, std::size_t size) {
  ERR_clear_error();
  return impl_->moved(
      SSL_write(impl_->ssl, from, static_cast<int>(std::min<std::size_t>(size, INT_MAX))));
}

bool TlsConnection::ready() const {
  return SSL_is_init_finished(impl_->ssl) == 1;
}
bool TlsConnection::holds() const {
  return SSL_pending(impl_->ssl) > 0;
}
void TlsConnection::say_goodbye() {
  ERR_clear_error();
  if (ready()) SSL_shutdown(impl_->ssl);
  ERR_clear_error();
}
std::string TlsConnection::trouble() const {
  return impl_->trouble;
}

}  // namespace tenbin::net
