// The bench's load generator: HTTP/1.1 GETs over keep-alive connections, plain or TLS with a client certificate, one
// thread, epoll. Closed loop (each connection asks again at once), or open loop at a fixed rate, where latency counts from
// the time a request was due: a proxy that stalls is charged for all that it kept waiting. Measuring begins when every
// connection is there (handshakes are not what is measured) and the warm-up is over: then it says `begin` on a line, and
// at the end one line of JSON.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long long u64;

static const char *usage =
  "generator -p PORT [-a ADDRESS] [-c CONNECTIONS] [-d SECONDS] [-w WARMUP_SECONDS] [-r REQUESTS_PER_SECOND] [-P PATH] [-H 'NAME: VALUE']...\n"
  "          [-t [-E CERTIFICATE.pem -K KEY.pem] [-n SERVER_NAME]] [-x (a connection for each request)] [-i (only hold them)]\n";

static int port, connections = 64, use_tls, one_request, idle_only;
static in_addr_t address;
static double duration = 3, warmup = 0.3, rate;
static const char *path = "/", *certificate, *key, *server_name;
static char headers[4096];

// ---- latency: 64 buckets for each doubling of microseconds, so within 1.6 %

enum { BUCKETS = 4096 };
static u64 histogram[BUCKETS];

static int bucket_of(u64 us) {
  if (us < 64) return us;
  int doubling = 63 - __builtin_clzll(us);
  int index = ((doubling - 5) << 6) | ((us >> (doubling - 6)) & 63);
  return index < BUCKETS ? index : BUCKETS - 1;
}

static double lower_bound(int index) {
  if (index < 64) return index;
  return (double)((64ull | (index & 63)) << ((index >> 6) - 1));
}

static u64 measured; // requests begun and ended while measuring

static double percentile(double part) {
  u64 wanted = measured * part, seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    if (seen > wanted) return lower_bound(i);
  }
  return 0;
}

// ---- connections

enum state { CONNECTING, HANDSHAKING, IDLE, SENDING, RECEIVING };

typedef struct connection {
  enum state state;
  int fd;
  SSL *ssl;
  u64 due;        // when this request should have been sent
  size_t sent;    // of the request
  int in_head, chunked, was_ready;
  long missing;   // bytes of the body
  size_t head_length;
  char head[16384];
  char tail[5];   // the last bytes of a chunked body
  struct connection *next_idle;
} connection;

static int epoll_fd, measuring;
static struct sockaddr_in target;
static SSL_CTX *tls;
static char request[8192];
static size_t request_length;
static connection *idle_list;
static u64 completed, errors, not_2xx, start; // completed: ended while measuring
static int established;
static u64 *waiting; // open loop: due times that found no idle connection
static size_t waiting_first, waiting_end;
enum { WAITING_MAX = 1 << 20 };

static u64 now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void watch(connection *c, int events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(epoll_fd, operation, c->fd, &event);
}

static void open_connection(connection *c) {
  int on = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (one_request) { // a reset instead of TIME_WAIT: the ports last longer
    struct linger reset = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  c->state = CONNECTING;
  c->due = 0;
  connect(c->fd, (void *)&target, sizeof target);
  watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
}

static void close_connection(connection *c) {
  if (c->ssl) SSL_free(c->ssl);
  c->ssl = NULL;
  close(c->fd);
}

static void fail(connection *c) {
  if (measuring) errors++;
  close_connection(c);
  open_connection(c);
}

/** Bytes; 0: would block; -1: broken. */
static int outcome(connection *c, int result) {
  if (result > 0) return result;
  if (c->ssl) {
    int error = SSL_get_error(c->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  return result < 0 && errno == EAGAIN ? 0 : -1;
}

static int receive(connection *c, char *into, int length) {
  ERR_clear_error();
  return outcome(c, c->ssl ? SSL_read(c->ssl, into, length) : (int)read(c->fd, into, length));
}

static int transmit(connection *c, const char *from, int length) {
  ERR_clear_error();
  return outcome(c, c->ssl ? SSL_write(c->ssl, from, length) : (int)write(c->fd, from, length));
}

static void send_rest(connection *c) {
  while (c->sent < request_length) {
    int n = transmit(c, request + c->sent, request_length - c->sent);
    if (n < 0) { fail(c); return; }
    if (n == 0) { watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD); return; }
    c->sent += n;
  }
  c->state = RECEIVING;
}

static void begin(connection *c, u64 due) {
  c->due = due;
  c->state = SENDING;
  c->sent = c->head_length = 0;
  c->in_head = 1;
  c->chunked = 0;
  c->missing = -1;
  memset(c->tail, 0, sizeof c->tail);
  send_rest(c);
}

static void ready(connection *c) {
  if (!c->was_ready) established++;
  c->was_ready = 1;
  if (!idle_only && !rate) { begin(c, now()); return; }
  if (!idle_only && waiting_first != waiting_end) { begin(c, waiting[waiting_first++ % WAITING_MAX]); return; }
  c->state = IDLE;
  c->next_idle = idle_list;
  idle_list = c;
}

static void finish(connection *c) {
  completed += measuring;
  if (measuring && c->due >= start) {
    histogram[bucket_of((now() - c->due) / 1000)]++;
    measured++;
  }
  if (!one_request) { ready(c); return; }
  close_connection(c);
  open_connection(c);
}

static void read_head(connection *c) {
  char *end = strstr(c->head, "\r\n\r\n");
  c->in_head = 0;
  if (c->head[9] != '2' && measuring) not_2xx++;
  for (char *line = strstr(c->head, "\r\n"); line < end; line = strstr(line + 2, "\r\n")) {
    if (!strncasecmp(line + 2, "content-length:", 15)) c->missing = atol(line + 17);
    if (!strncasecmp(line + 2, "transfer-encoding:", 18)) c->chunked = 1;
  }
  if (c->missing < 0 && !c->chunked) c->missing = 0;
}

/** Takes a part of an answer; the body is only counted. */
static void take(connection *c, char *bytes, int length) {
  if (c->in_head) {
    size_t before = c->head_length, room = sizeof c->head - 1 - before;
    size_t taken = (size_t)length < room ? (size_t)length : room;
    memcpy(c->head + before, bytes, taken);
    c->head_length += taken;
    c->head[c->head_length] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return;
    read_head(c);
    int of_head = end + 4 - c->head - before;
    bytes += of_head;
    length -= of_head;
  }
  if (c->chunked) {
    int last = length > 5 ? 5 : length;
    char joined[10];
    memcpy(joined, c->tail, 5);
    memcpy(joined + 5, bytes + length - last, last);
    memcpy(c->tail, joined + last, 5);
    if (!memcmp(c->tail, "0\r\n\r\n", 5)) finish(c);
    return;
  }
  c->missing -= length;
  if (c->missing <= 0) finish(c);
}

static void connected(connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) { fail(c); return; }
  watch(c, EPOLLIN, EPOLL_CTL_MOD);
  if (!use_tls) { ready(c); return; }
  c->ssl = SSL_new(tls);
  SSL_set_fd(c->ssl, c->fd);
  if (server_name) SSL_set_tlsext_host_name(c->ssl, server_name);
  SSL_set_connect_state(c->ssl);
  c->state = HANDSHAKING;
}

static void handshake(connection *c) {
  ERR_clear_error();
  int result = SSL_do_handshake(c->ssl);
  if (result == 1) { ready(c); return; }
  if (outcome(c, result) < 0) fail(c);
}

static void on_event(connection *c, int events) {
  static char buffer[262144];
  if (c->state == CONNECTING) connected(c);
  if (c->state == HANDSHAKING) { handshake(c); return; }
  if (c->state == SENDING && (events & EPOLLOUT)) {
    send_rest(c);
    if (c->state == RECEIVING) watch(c, EPOLLIN, EPOLL_CTL_MOD);
  }
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  for (int reads = 0; reads < 8; reads++) { // TLS may hold more than epoll knows of
    int fd = c->fd, n = receive(c, buffer, sizeof buffer);
    if (n == 0) return;
    if (n < 0 || (c->state != RECEIVING && c->state != SENDING)) { fail(c); return; }
    take(c, buffer, n);
    if (c->fd != fd || c->state == CONNECTING || !c->ssl) return;
  }
}

// ---- the run

static void prepare_tls(void) {
  tls = SSL_CTX_new(TLS_client_method());
  if (certificate && (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 || SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)) {
    ERR_print_errors_fp(stderr);
    exit(2);
  }
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

/** Long enough for handshakes of thousands of connections on a busy machine. */
static const u64 max_connecting = 20000000000ull;

/** All connections are there and warm, or that took too long. */
static int may_begin(u64 t, u64 began) {
  return (established >= connections && t >= began + (u64)(warmup * 1e9)) || t > began + max_connecting;
}

static void begin_measuring(u64 t) {
  start = t;
  measuring = 1;
  puts("begin");
  fflush(stdout);
}

/** Open loop: every request whose time has come goes to an idle connection, or waits for one. */
static void send_due(u64 began) {
  static u64 scheduled;
  double period = 1e9 / rate;
  u64 t = now();
  for (u64 at; (at = began + (u64)(scheduled * period)) <= t; scheduled++) {
    if (idle_list) {
      connection *c = idle_list;
      idle_list = c->next_idle;
      begin(c, at);
    } else if (waiting_end - waiting_first < WAITING_MAX) waiting[waiting_end++ % WAITING_MAX] = at;
  }
}

static int tick_every(u64 ns) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec spec = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};
  timerfd_settime(fd, 0, &spec, NULL);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  return fd;
}

static connection *run(void) {
  connection *all = calloc(connections, sizeof *all);
  int opened = 0, ticks = tick_every(rate ? 250000 : 10000000);
  u64 began = now();
  struct epoll_event events[256];
  for (;;) {
    u64 t = now();
    if (!measuring && may_begin(t, began)) begin_measuring(t);
    if (measuring && t >= start + (u64)(duration * 1e9)) break;
    for (int i = 0; i < 64 && opened < connections; i++) open_connection(&all[opened++]);
    if (rate) send_due(began);
    int count = epoll_wait(epoll_fd, events, 256, opened < connections ? 1 : 100);
    for (int i = 0; i < count; i++) {
      u64 expired;
      if (events[i].data.ptr) on_event(events[i].data.ptr, events[i].events);
      else if (read(ticks, &expired, sizeof expired) < 0) continue;
    }
  }
  return all;
}

/* Of a network namespace that the bench made. */
static in_addr_t private_address(const char *text) {
  struct in_addr found;
  if (inet_pton(AF_INET, text, &found) != 1 || (ntohl(found.s_addr) >> 16) != ((10 << 8) | 77)) { fputs("-a takes 10.77.X.X\n", stderr); exit(2); }
  return found.s_addr;
}

static void parse(int argc, char **argv) {
  for (int option; (option = getopt(argc, argv, "p:a:c:d:w:r:P:H:tE:K:n:xi")) > 0;) switch (option) {
    case 'p': port = atoi(optarg); break;
    case 'a': address = private_address(optarg); break;
    case 'c': connections = atoi(optarg); break;
    case 'd': duration = atof(optarg); break;
    case 'w': warmup = atof(optarg); break;
    case 'r': rate = atof(optarg); break;
    case 'P': path = optarg; break;
    case 'H': {
      size_t used = strlen(headers);
      snprintf(headers + used, sizeof headers - used, "%s\r\n", optarg);
      break;
    }
    case 't': use_tls = 1; break;
    case 'E': certificate = optarg; break;
    case 'K': key = optarg; break;
    case 'n': server_name = optarg; break;
    case 'x': one_request = 1; break;
    case 'i': idle_only = 1; break;
    default: fputs(usage, stderr); exit(2);
  }
  if (port == 0) { fputs(usage, stderr); exit(2); }
}

int main(int argc, char **argv) {
  parse(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (use_tls) prepare_tls();
  if (address == 0) address = htonl(INADDR_LOOPBACK);
  target.sin_family = AF_INET;
  target.sin_port = htons(port);
  target.sin_addr.s_addr = address; // never another machine
  request_length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n%s\r\n", path, headers);
  epoll_fd = epoll_create1(0);
  waiting = malloc(WAITING_MAX * sizeof *waiting);
  connection *all = run();
  int up = 0;
  for (int i = 0; i < connections; i++) up += all[i].state >= IDLE;
  printf("{\"requests\":%llu,\"measured\":%llu,\"rps\":%.0f,\"errors\":%llu,\"not2xx\":%llu,\"connected\":%d,\"queued\":%zu,"
         "\"p50\":%.0f,\"p90\":%.0f,\"p99\":%.0f,\"p999\":%.0f,\"max\":%.0f}\n",
         completed, measured, measured / duration, errors, not_2xx, up, waiting_end - waiting_first,
         percentile(.5), percentile(.9), percentile(.99), percentile(.999), percentile(.999999));
  return 0;
}
