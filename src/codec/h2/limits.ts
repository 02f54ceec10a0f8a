// The limits of an HTTP/2 session when nothing else is configured. Envoy's values where it has one that bounds something.
import type { H2Limits } from './types.ts'

const KiB = 1024

export const defaultH2Limits: H2Limits = {
  /** Envoy's, since 1.36: more than any client opens, and few enough to be held. */
  maxConcurrentStreams: 1024,
  /** What a stopped stream may still send us, which somebody has to hold: Envoy's 16 MiB would be 16 GiB a connection. Enough for 10 Gbit/s at 0.2 ms. */
  initialStreamWindow: 256 * KiB,
  /** Bytes are handed on as they come, so that this bounds a burst, not memory. */
  initialConnectionWindow: 1024 * KiB,
  /** Envoy's max_request_headers_kb, as in HTTP/1.1. */
  maxHeaderListBytes: 60 * KiB,
  /** Envoy's max_headers_count. */
  maxHeaders: 100,
  /** The smallest that may be asked for. Larger ones save no work, since DATA is handed on in pieces as it is read. */
  maxFrameSize: 16 * KiB,
  /** RFC 9113's initial value, and Envoy's. */
  headerTableBytes: 4 * KiB,
  /** More than a stopped peer's stream window, so that passing one on never ends here; and a body that a filter holds back (1 MiB). */
  maxStreamSendBytes: 1024 * KiB,
  /** Envoy's max_outbound_control_frames is 10,000 and counts only what is not written; honest peers send tens a second beyond what they earn by useful ones. */
  maxControlFramesPerSecond: 1000,
  /** Envoy's premature_reset_total_stream_count: streams that the peer opened and reset within a second. One more for each that finished, as Envoy allows half. */
  maxResetsPerSecond: 500,
  /** nghttp2's. Eight full frames hold twice the largest header section. */
  maxContinuationFrames: 8,
  /** Three times nghttpx's and h2o's: a peer on a machine in trouble may write before it reads. */
  settingsTimeoutMs: 30_000,
}
