// RFC 9113, sections 3 to 7: what a peer does with frames, streams, windows and settings, and what must be seen. Each case
// is fed whole, byte by byte and in pieces of seven, since a rule that depends on the cut is no rule.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeaderList } from '../../../src/codec/header-list.ts'
import {
  ACK, END_HEADERS, END_STREAM, PADDED, PRIORITY, block, continuation, data, field, frame, get, goAway, headers, indexed, integer, ok, ping, post, preface,
  priority, rst, settings, settingsAck, windowUpdate,
} from '../../support/h2-frames.ts'
import type { Code } from '../../support/h2-frames.ts'
import { H2Peer } from '../../support/h2-peer.ts'
import type { PeerOptions, Role } from '../../support/h2-peer.ts'

/** What must be seen: the connection ends by a GOAWAY with the code, a stream by RST_STREAM; or the connection goes on, having reported the lines. */
type Outcome = { readonly connection: Code } | { readonly stream: Code; readonly id?: number } | { readonly sees: readonly string[] }

type Case = readonly [section: string, title: string, frames: readonly Buffer[], outcome: Outcome, options?: PeerOptions & { readonly role?: Role }]

const connection = (code: Code): Outcome => ({ connection: code })
const stream = (code: Code, id = 1): Outcome => ({ stream: code, id })
const sees = (...lines: readonly string[]): Outcome => ({ sees: lines })

const open = headers(1, post, END_HEADERS)
const asked = 'request 1 POST http a / []'
const gotten = 'request 1 GET http a / [] end'
const bare = { bare: true }
const client = { role: 'client' as const }
/** Answers every request at once, so that the stream is closed. */
const answering: PeerOptions = { events: { onRequest: (one) => one.sendResponse(204, new HeaderList(), true) } }
/** Resets every request. */
const resetting: PeerOptions = { events: { onRequest: (one) => one.reset(8) } }

const cases: readonly Case[] = [
  // 3.4 Preface
  ['3.4', 'the preface and SETTINGS', [preface, settings(), ping()], sees('settings 4294967295'), bare],
  ['3.4', 'another preface', [Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')], connection('PROTOCOL_ERROR'), bare],
  ['3.4', 'an HTTP/1.1 request', [Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')], connection('PROTOCOL_ERROR'), bare],
  ['3.4', 'a preface that no SETTINGS follows', [preface, ping()], connection('PROTOCOL_ERROR'), bare],
  ['3.4', 'a preface that HEADERS follow', [preface, headers(1, get)], connection('PROTOCOL_ERROR'), bare],
  ['3.4', 'a preface that DATA follow', [preface, data(1, 'a')], connection('PROTOCOL_ERROR'), bare],
  ['3.4', 'a preface that only an acknowledgement follows', [preface, settingsAck], connection('PROTOCOL_ERROR'), bare],
  ['3.4', 'a server whose first frame is not SETTINGS', [ping()], connection('PROTOCOL_ERROR'), { ...bare, ...client }],
  ['3.4', 'a server whose first frame is SETTINGS', [settings(3, 7)], sees('settings 7'), { ...bare, ...client }],

  // 4.1, 5.5 Frames
  ['4.1', 'a frame of an unknown type is ignored', [frame(0xee, 0xff, 0, 'abc'), frame(0xee, 0, 77, 'abc')], sees()],
  ['4.1', 'undefined flags are ignored', [frame(6, 0xfe, 0, '12345678'), frame(1, 0xd0 | END_HEADERS | END_STREAM, 1, get)], sees(gotten)],
  ['4.1', 'the reserved bit of a stream id is ignored', [frame(1, END_HEADERS | END_STREAM, 0x80000001, get)], sees(gotten)],
  ['5.5', 'an unknown frame within a header block', [headers(1, get, END_STREAM), frame(0xee, 0, 1, '')], connection('PROTOCOL_ERROR')],

  // 4.2 Sizes
  ['4.2', 'DATA of the largest size', [open, data(1, 'x'.repeat(16384))], sees(asked, `data 1 ${'x'.repeat(16384)}`)],
  ['4.2', 'DATA larger than SETTINGS_MAX_FRAME_SIZE', [open, data(1, 'x'.repeat(16385))], connection('FRAME_SIZE_ERROR')],
  ['4.2', 'HEADERS larger than SETTINGS_MAX_FRAME_SIZE', [headers(1, block('a', 'x'.repeat(16385)))], connection('FRAME_SIZE_ERROR')],
  ['4.2', 'a larger frame, where it was allowed', [open, data(1, 'x'.repeat(20000))], sees(asked, `data 1 ${'x'.repeat(20000)}`), { limits: { maxFrameSize: 20000 } }],

  // 4.3 Header blocks
  ['4.3', 'a block that is no HPACK', [headers(1, Buffer.from([0x80]))], connection('COMPRESSION_ERROR')],
  ['4.3', 'a block that is no HPACK, as trailers', [open, headers(1, Buffer.from([0xff]))], connection('COMPRESSION_ERROR')],
  ['4.3', 'a block in three frames', [headers(1, get.subarray(0, 5), END_STREAM), continuation(1, get.subarray(5, 20), 0), continuation(1, get.subarray(20))], sees(gotten)],
  ['4.3', 'a block with empty frames in it', [headers(1, Buffer.alloc(0), END_STREAM), continuation(1, Buffer.alloc(0), 0), continuation(1, get)], sees(gotten)],
  ['4.3', 'PING within a block', [headers(1, get, END_STREAM), ping()], connection('PROTOCOL_ERROR')],
  ['4.3', 'DATA within a block', [open, headers(1, block('a', 'b'), END_STREAM), data(1, 'a')], connection('PROTOCOL_ERROR')],
  ['4.3', 'HEADERS of another stream within a block', [headers(1, get, END_STREAM), headers(3, get)], connection('PROTOCOL_ERROR')],
  ['4.3', 'a refused stream changes the table too', [headers(1, get, END_HEADERS), headers(3, Buffer.concat([get, field('x-a', 'b', 0x40)])), headers(1, indexed(62))], sees('request 1 GET http a / []', 'end 1 [x-a b]'), { limits: { maxConcurrentStreams: 1 } }],
  ['4.3', 'a malformed request changes the table too', [headers(1, field('x-a', 'b', 0x40)), headers(3, Buffer.concat([get, indexed(62)]))], sees('request 3 GET http a / [x-a b] end')],

  // 4.3.1 Table sizes
  ['4.3.1', 'a block that does not say that its table has become smaller', [headers(1, get)], connection('COMPRESSION_ERROR'), { limits: { headerTableBytes: 100 } }],
  ['4.3.1', 'a block that says so', [headers(1, Buffer.concat([integer(100, 5, 0x20), get]))], sees(gotten), { limits: { headerTableBytes: 100 } }],
  ['4.3.1', 'a block that makes it larger than was allowed', [headers(1, Buffer.concat([integer(101, 5, 0x20), get]))], connection('COMPRESSION_ERROR'), { limits: { headerTableBytes: 100 } }],
  ['4.3.1', 'a block of before the acknowledgement', [preface, settings(), headers(1, get), settingsAck, headers(3, Buffer.concat([integer(100, 5, 0x20), get]))], sees('settings 4294967295', gotten, 'request 3 GET http a / [] end'), { ...bare, limits: { headerTableBytes: 100 } }],

  // 5.1 States
  ['5.1', 'DATA on an idle stream', [data(1, 'a')], connection('PROTOCOL_ERROR')],
  ['5.1', 'RST_STREAM on an idle stream', [rst(1)], connection('PROTOCOL_ERROR')],
  ['5.1', 'WINDOW_UPDATE on an idle stream', [windowUpdate(1, 1)], connection('PROTOCOL_ERROR')],
  ['5.1', 'CONTINUATION on an idle stream', [continuation(1, get)], connection('PROTOCOL_ERROR')],
  ['5.1', 'DATA on an idle stream of the server', [data(2, 'a')], connection('PROTOCOL_ERROR')],
  ['5.1', 'RST_STREAM on an idle stream of the server', [rst(2)], connection('PROTOCOL_ERROR')],
  ['5.1', 'WINDOW_UPDATE on an idle stream of the server', [windowUpdate(2, 1)], connection('PROTOCOL_ERROR')],
  ['5.1', 'DATA on an idle stream, from a server', [data(1, 'a')], connection('PROTOCOL_ERROR'), client],
  ['5.1', 'DATA on an idle stream of its own, from a server', [data(2, 'a')], connection('PROTOCOL_ERROR'), client],
  ['5.1', 'RST_STREAM on an idle stream, from a server', [rst(1)], connection('PROTOCOL_ERROR'), client],
  ['5.1', 'WINDOW_UPDATE on an idle stream, from a server', [windowUpdate(1, 1)], connection('PROTOCOL_ERROR'), client],
  ['5.1', 'PRIORITY on an idle stream, from a server', [priority(1), priority(2)], sees(), client],
  ['5.1', 'CONTINUATION after END_STREAM', [headers(1, get), continuation(1, get)], connection('PROTOCOL_ERROR')],
  ['5.1', 'PRIORITY on an idle stream', [priority(1), priority(100)], sees()],
  ['5.1', 'DATA after END_STREAM', [headers(1, get), data(1, 'a')], stream('STREAM_CLOSED')],
  ['5.1', 'HEADERS after END_STREAM', [headers(1, get), headers(1, get)], stream('STREAM_CLOSED')],
  ['5.1', 'WINDOW_UPDATE and PRIORITY after END_STREAM', [headers(1, get), windowUpdate(1, 1), priority(1)], sees(gotten)],
  ['5.1', 'DATA on a stream that both have ended', [headers(1, get), data(1, 'a')], connection('STREAM_CLOSED'), answering],
  ['5.1', 'HEADERS on a stream that both have ended', [headers(1, get), headers(1, get)], connection('STREAM_CLOSED'), answering],
  ['5.1', 'WINDOW_UPDATE, RST_STREAM and PRIORITY on a stream that both have ended', [headers(1, get), windowUpdate(1, 1), rst(1), priority(1)], sees(gotten, 'closed 1'), answering],
  ['5.1', 'DATA after the peer reset the stream', [open, rst(1), data(1, 'a')], stream('STREAM_CLOSED')],
  ['5.1', 'HEADERS after the peer reset the stream', [open, rst(1), headers(1, block('a', 'b'))], stream('STREAM_CLOSED')],
  ['5.1', 'any frame after we have reset the stream is ignored', [open, data(1, 'a'), headers(1, block('a', 'b')), windowUpdate(1, 1), rst(1)], sees(asked, 'closed 1'), resetting],
  ['5.1', 'HEADERS after we have reset the stream change the table', [open, headers(1, field('x-a', 'b', 0x40)), headers(3, Buffer.concat([get, indexed(62)]))], sees(asked, 'closed 1', 'request 3 GET http a / [x-a b] end', 'closed 3'), resetting],
  ['5.1', 'a response on an idle stream', [headers(1, ok)], connection('PROTOCOL_ERROR'), client],
  ['5.1', 'a response on a stream with an even id', [headers(2, ok)], connection('PROTOCOL_ERROR'), client],

  // 5.1.1 Identifiers
  ['5.1.1', 'an even id', [headers(2, get)], connection('PROTOCOL_ERROR')],
  ['5.1.1', 'an id lower than the last', [headers(5, get), headers(3, get)], connection('PROTOCOL_ERROR')],
  ['5.1.1', 'an id lower than the last that was used, and has ended', [headers(5, get), headers(5, get)], connection('STREAM_CLOSED'), answering],
  ['5.1.1', 'DATA on an id that was left out', [headers(5, get), data(3, 'a')], connection('PROTOCOL_ERROR')],
  ['5.1.1', 'WINDOW_UPDATE, RST_STREAM and PRIORITY on an id that was left out', [headers(5, get), windowUpdate(3, 1), rst(3), priority(3)], sees('request 5 GET http a / [] end')],
  ['5.1.1', 'a request of a server', [headers(2, get)], connection('PROTOCOL_ERROR'), client],
  ['5.1.1', 'HEADERS on stream 0', [headers(0, get)], connection('PROTOCOL_ERROR')],
  ['5.1.1', 'DATA on stream 0', [data(0, 'a')], connection('PROTOCOL_ERROR')],
  ['5.1.1', 'CONTINUATION on stream 0', [headers(1, get, END_STREAM), continuation(0, get)], connection('PROTOCOL_ERROR')],
  ['5.1.1', 'the highest id', [headers(0x7fffffff, get)], sees('request 2147483647 GET http a / [] end')],

  // 5.1.2 Concurrency
  ['5.1.2', 'more streams than SETTINGS_MAX_CONCURRENT_STREAMS', [headers(1, get), headers(3, get)], stream('REFUSED_STREAM', 3), { limits: { maxConcurrentStreams: 1 } }],
  ['5.1.2', 'a stream that has ended counts no more', [headers(1, get), headers(3, get)], sees(gotten, 'closed 1', 'request 3 GET http a / [] end', 'closed 3'), { ...answering, limits: { maxConcurrentStreams: 1 } }],
  ['5.1.2', 'DATA of a refused stream is ignored', [headers(1, get), headers(3, post, END_HEADERS), data(3, 'a')], sees(gotten), { limits: { maxConcurrentStreams: 1 } }],

  // 5.2, 6.9 Flow control: 65,535 bytes, where the limits say no more
  ['6.9.1', 'more DATA than the window of the stream', [open, ...fill(1, 70000)], stream('FLOW_CONTROL_ERROR'), { limits: { initialStreamWindow: 65535 }, events: { onRequest: (one) => one.pause() } }],
  ['6.9.1', 'DATA within the window of a stream that is not read', [open, ...fill(1, 65535)], sees(asked, `data 1 ${'x'.repeat(65535)}`), { limits: { initialStreamWindow: 65535 }, events: { onRequest: (one) => one.pause() } }],
  ['6.9.1', 'padding counts', [open, ...fill(1, 65530), data(1, Buffer.from([5, 0, 0, 0, 0, 0]), PADDED)], stream('FLOW_CONTROL_ERROR'), { limits: { initialStreamWindow: 65535 }, events: { onRequest: (one) => one.pause() } }],
  ['6.9.1', 'more DATA than the window of the connection', [open, data(1, 'x'.repeat(70_000))], connection('FLOW_CONTROL_ERROR'), { limits: { maxFrameSize: 100_000, initialConnectionWindow: 65_535 } }],
  ['6.9.1', 'two WINDOW_UPDATEs that only together go beyond 2^31-1', [open, windowUpdate(1, 0x7fffff00 - 65535), windowUpdate(1, 0x100)], stream('FLOW_CONTROL_ERROR')],
  ['6.9', 'WINDOW_UPDATE of zero on a stream', [open, windowUpdate(1, 0)], stream('PROTOCOL_ERROR')],
  ['6.9', 'WINDOW_UPDATE of zero on the connection', [windowUpdate(0, 0)], connection('PROTOCOL_ERROR')],
  ['6.9', 'WINDOW_UPDATE of three bytes', [frame(8, 0, 0, [0, 0, 1])], connection('FRAME_SIZE_ERROR')],
  ['6.9', 'WINDOW_UPDATE of five bytes', [open, frame(8, 0, 1, [0, 0, 0, 0, 1])], connection('FRAME_SIZE_ERROR')],
  ['6.9', 'the reserved bit of an increment is ignored', [open, windowUpdate(1, 0x80000001)], sees(asked)],
  ['6.9.1', 'a stream window beyond 2^31-1', [open, windowUpdate(1, 0x7fffffff)], stream('FLOW_CONTROL_ERROR')],
  ['6.9.1', 'a connection window beyond 2^31-1', [windowUpdate(0, 0x7fffffff)], connection('FLOW_CONTROL_ERROR')],
  ['6.9.1', 'windows of exactly 2^31-1', [open, windowUpdate(1, 0x7fffffff - 65535), windowUpdate(0, 0x7fffffff - 65535)], sees(asked)],
  ['6.9.2', 'SETTINGS_INITIAL_WINDOW_SIZE that makes a window too large', [open, windowUpdate(1, 0x7fffffff - 65535), settings(4, 65536)], connection('FLOW_CONTROL_ERROR')],

  // 6.1 DATA
  ['6.1', 'padded DATA', [open, data(1, Buffer.from('\x03abc\0\0\0', 'latin1'), PADDED | END_STREAM)], sees(asked, 'data 1 abc', 'end 1')],
  ['6.1', 'DATA of padding only', [open, data(1, Buffer.from([2, 0, 0]), PADDED | END_STREAM)], sees(asked, 'end 1')],
  ['6.1', 'DATA with a pad length of 0', [open, data(1, Buffer.from('\0abc', 'latin1'), PADDED)], sees(asked, 'data 1 abc')],
  ['6.1', 'DATA padded by its own length', [open, data(1, Buffer.from([4, 0, 0, 0]), PADDED)], connection('PROTOCOL_ERROR')],
  ['6.1', 'padded DATA without a pad length', [open, data(1, '', PADDED)], connection('FRAME_SIZE_ERROR')],

  // 6.2 HEADERS
  ['6.2', 'padded HEADERS', [headers(1, Buffer.concat([Buffer.from([2]), get, Buffer.alloc(2)]), PADDED | END_HEADERS | END_STREAM)], sees(gotten)],
  ['6.2', 'HEADERS with priority', [headers(1, Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), get]), PRIORITY | END_HEADERS | END_STREAM)], sees(gotten)],
  ['6.2', 'padded HEADERS with priority', [headers(1, Buffer.concat([Buffer.from([1, 0x80, 0, 0, 0, 9]), get, Buffer.alloc(1)]), PADDED | PRIORITY | END_HEADERS | END_STREAM)], sees(gotten)],
  ['6.2', 'HEADERS padded by more than there is', [headers(1, Buffer.from([9, 0x82]), PADDED | END_HEADERS)], connection('PROTOCOL_ERROR')],
  ['6.2', 'HEADERS padded by all there is', [headers(1, Buffer.from([1]), PADDED | END_HEADERS)], connection('PROTOCOL_ERROR')],
  ['6.2', 'HEADERS of padding only', [headers(1, Buffer.from([1, 0]), PADDED | END_HEADERS)], stream('PROTOCOL_ERROR')],
  ['6.2', 'HEADERS whose padding reaches into the priority', [headers(1, Buffer.from([3, 0, 0, 0, 0, 9]), PADDED | PRIORITY | END_HEADERS)], connection('PROTOCOL_ERROR')],
  ['6.2', 'padded HEADERS without a pad length', [headers(1, Buffer.alloc(0), PADDED | END_HEADERS)], connection('FRAME_SIZE_ERROR')],
  ['6.2', 'HEADERS too short for their priority', [headers(1, Buffer.alloc(3), PRIORITY | END_HEADERS)], connection('FRAME_SIZE_ERROR')],

  // 6.3, 6.4
  ['6.3', 'PRIORITY on stream 0', [priority(0)], connection('PROTOCOL_ERROR')],
  ['6.3', 'PRIORITY of four bytes', [open, priority(1, [0, 0, 0, 0])], stream('FRAME_SIZE_ERROR')],
  ['6.4', 'RST_STREAM', [open, rst(1, 8)], sees(asked, 'reset 1 CANCEL by the peer', 'closed 1')],
  ['6.4', 'RST_STREAM with a code that nobody knows', [open, rst(1, 0x1234)], sees(asked, 'reset 1 4660 by the peer', 'closed 1')],
  ['6.4', 'RST_STREAM on stream 0', [rst(0)], connection('PROTOCOL_ERROR')],
  ['6.4', 'RST_STREAM of three bytes', [open, frame(3, 0, 1, [0, 0, 0])], connection('FRAME_SIZE_ERROR')],
  ['6.4', 'RST_STREAM of five bytes', [open, frame(3, 0, 1, [0, 0, 0, 0, 0])], connection('FRAME_SIZE_ERROR')],

  // 6.5 SETTINGS
  ['6.5', 'SETTINGS on a stream', [frame(4, 0, 1)], connection('PROTOCOL_ERROR')],
  ['6.5', 'an acknowledgement on a stream', [frame(4, ACK, 1)], connection('PROTOCOL_ERROR')],
  ['6.5', 'SETTINGS of five bytes', [frame(4, 0, 0, [0, 1, 0, 0, 0])], connection('FRAME_SIZE_ERROR')],
  ['6.5', 'an acknowledgement with a payload', [frame(4, ACK, 0, [0, 1, 0, 0, 0, 0])], connection('FRAME_SIZE_ERROR')],
  ['6.5', 'acknowledgements that nobody waits for', [settingsAck, settingsAck], sees()],
  ['6.5.2', 'an unknown setting', [settings(0xf3, 5)], sees()],
  ['6.5.2', 'SETTINGS_ENABLE_PUSH of 2', [settings(2, 2)], connection('PROTOCOL_ERROR')],
  ['6.5.2', 'SETTINGS_ENABLE_PUSH of 1 from a client', [settings(2, 1)], sees()],
  ['6.5.2', 'SETTINGS_ENABLE_PUSH of 1 from a server', [settings(2, 1)], connection('PROTOCOL_ERROR'), client],
  ['6.5.2', 'SETTINGS_ENABLE_PUSH of 0 from a server', [settings(2, 0)], sees(), client],
  ['6.5.2', 'SETTINGS_INITIAL_WINDOW_SIZE of 2^31', [settings(4, 0x80000000)], connection('FLOW_CONTROL_ERROR')],
  ['6.5.2', 'SETTINGS_MAX_FRAME_SIZE below 2^14', [settings(5, 16383)], connection('PROTOCOL_ERROR')],
  ['6.5.2', 'SETTINGS_MAX_FRAME_SIZE of 2^24', [settings(5, 0x1000000)], connection('PROTOCOL_ERROR')],
  ['6.5.2', 'the largest values', [settings(4, 0x7fffffff, 5, 0xffffff, 6, 0xffffffff, 1, 0xffffffff)], sees()],
  ['6.5.2', 'SETTINGS_MAX_CONCURRENT_STREAMS is reported when it changes', [settings(3, 5), settings(3, 5), settings(3, 0)], sees('settings 5', 'settings 0'), client],
  ['6.5.3', 'of a setting that comes twice in a frame the last one holds', [settings(3, 5, 3, 7)], sees('settings 7'), client],
  ['RFC 8441 3', 'SETTINGS_ENABLE_CONNECT_PROTOCOL of 2', [settings(8, 2)], connection('PROTOCOL_ERROR'), client],
  ['RFC 8441 3', 'SETTINGS_ENABLE_CONNECT_PROTOCOL taken back', [settings(8, 1), settings(8, 0)], connection('PROTOCOL_ERROR'), client],

  // 6.6 to 6.8
  ['5.3.1', 'a stream that depends on itself', [headers(1, Buffer.concat([Buffer.from([0, 0, 0, 1, 9]), get]), PRIORITY | END_HEADERS | END_STREAM), priority(3, [0, 0, 0, 3, 1])], sees(gotten)],
  ['6.6', 'PUSH_PROMISE on stream 0', [frame(5, END_HEADERS, 0, [0, 0, 0, 2, 0x82])], connection('PROTOCOL_ERROR'), client],
  ['6.6', 'PUSH_PROMISE by a client', [frame(5, END_HEADERS, 1, [0, 0, 0, 2, 0x82])], connection('PROTOCOL_ERROR')],
  ['8.4', 'PUSH_PROMISE by a server that was told not to', [frame(5, END_HEADERS, 1, [0, 0, 0, 2, 0x82])], connection('PROTOCOL_ERROR'), client],
  ['6.7', 'PING on a stream', [frame(6, 0, 1, '12345678')], connection('PROTOCOL_ERROR')],
  ['6.7', 'PING of seven bytes', [ping('1234567')], connection('FRAME_SIZE_ERROR')],
  ['6.7', 'PING of nine bytes', [ping('123456789')], connection('FRAME_SIZE_ERROR')],
  ['6.7', 'an answer to no PING', [ping('12345678', ACK)], sees()],
  ['6.8', 'GOAWAY on a stream', [frame(7, 0, 1, Buffer.alloc(8))], connection('PROTOCOL_ERROR')],
  ['6.8', 'GOAWAY of seven bytes', [frame(7, 0, 0, Buffer.alloc(7))], connection('FRAME_SIZE_ERROR')],
  ['6.8', 'GOAWAY with words', [goAway(0, 11, 'too fast')], sees('goaway 0 ENHANCE_YOUR_CALM too fast')],
  ['7', 'GOAWAY with a code that nobody knows', [goAway(0, 0x1234), headers(1, get)], sees('goaway 0 4660', gotten)],
  ['6.8', 'a second GOAWAY that takes fewer streams', [goAway(0x7fffffff), goAway(0)], sees('goaway 2147483647 NO_ERROR', 'goaway 0 NO_ERROR')],
  ['6.8', 'a second GOAWAY that takes more streams', [goAway(1), goAway(3)], connection('PROTOCOL_ERROR')],
  ['6.8', 'requests go on after a client\'s GOAWAY', [goAway(0), headers(1, get)], sees('goaway 0 NO_ERROR', gotten)],

  // 6.10 CONTINUATION
  ['6.10', 'CONTINUATION without HEADERS', [open, continuation(1, block('a', 'b'))], connection('PROTOCOL_ERROR')],
  ['6.10', 'CONTINUATION after END_HEADERS', [headers(1, get), continuation(1, block('a', 'b'))], connection('PROTOCOL_ERROR')],
  ['6.10', 'CONTINUATION after a CONTINUATION with END_HEADERS', [headers(1, get.subarray(0, 5), END_STREAM), continuation(1, get.subarray(5)), continuation(1, block('a', 'b'))], connection('PROTOCOL_ERROR')],
  ['6.10', 'CONTINUATION after DATA', [open, data(1, 'a'), continuation(1, block('a', 'b'))], connection('PROTOCOL_ERROR')],
  ['6.10', 'PRIORITY between CONTINUATIONs', [headers(1, get.subarray(0, 5), END_STREAM), continuation(1, get.subarray(5), 0), priority(1)], connection('PROTOCOL_ERROR')],
  ['6.10', 'CONTINUATION of another stream', [headers(1, get, END_STREAM), continuation(3, block('a', 'b'))], connection('PROTOCOL_ERROR')],

  // 5.4.1: nothing is heard after the connection has failed
  ['5.4.1', 'frames after an error', [windowUpdate(0, 0), headers(1, get)], connection('PROTOCOL_ERROR')],
  ['7', 'a table size update beyond the setting', [headers(1, Buffer.concat([integer(5000, 5, 0x20), get]))], connection('COMPRESSION_ERROR')],
]

/** `length` bytes of DATA in frames. */
function fill(id: number, length: number): Buffer[] {
  const frames: Buffer[] = []
  for (let left = length; left > 0; left -= 16384) frames.push(data(id, 'x'.repeat(Math.min(left, 16384))))
  return frames
}

for (const pieces of [0, 1, 7]) {
  describe(`RFC 9113, ${pieces === 0 ? 'fed whole' : `fed ${pieces} bytes at a time`}`, () => {
    for (const [section, title, frames, outcome, options = {}] of cases) {
      test(`${section}: ${title}`, () => {
        const peer = new H2Peer(options.role ?? 'server', { ...options, pieces })
        peer.send(...frames)
        const written = peer.written()
        if ('connection' in outcome) {
          assert.equal(peer.error?.scope, 'connection', written.join(', '))
          assert.equal(written.at(-1)?.split(' ')[2], outcome.connection)
          assert.equal(written.at(-1)?.split(' ')[0], 'GOAWAY')
          return
        }
        assert.equal(peer.error, undefined)
        if ('stream' in outcome) assert.deepEqual(written.filter((line) => line.startsWith('RST_STREAM')), [`RST_STREAM ${outcome.id ?? 1} ${outcome.stream}`])
        else assert.deepEqual(peer.log, outcome.sees)
        assert.deepEqual(peer.send(ping('still up')).written(), ['PING ACK still up'])
      })
    }
  })
}
