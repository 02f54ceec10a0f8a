// Every MUST and MUST NOT of RFC 9112, a row each, as h2/requirements.ts has those of RFC 9113. Paths are from h2/.
import type { Proof, Requirement, Unseen } from './h2/requirements.ts'

const unseen = (why: string): Unseen => ({ unseen: why })
const messageHttp = unseen('we neither make nor read message/http')
const userAgent = unseen('a rule for user agents; a proxy hands on what it was given')
const registry = unseen('a rule for the registry of codings, not for what goes over the wire')

const from = (file: string) => (...titles: readonly string[]): Proof[] => titles.map((title): Proof => `${file}#${title}`)
const h = from('../h1.test.ts')
const c = from('../h1-connections.test.ts')
const f = from('../../integration/proxy-http-framing.test.ts')
const u = from('../../integration/proxy-upstream.test.ts')

const strict = h('a bare CR in a value', 'a bare CR in the request line', 'a bare CR in a value of a response', 'a bare CR in a chunk extension')
const spaceFirst = h('white space before the first field', 'white space before the first field of a response')
const hostRules = h('no Host in HTTP/1.1', 'two Hosts', 'two equal Hosts', 'two Hosts in HTTP/1.0', 'no Host, with an absolute target', 'Host ${JSON.stringify(host)}')
const ownHost = f('a request goes on as it should be, and its response comes back on a connection that stays')
const absolute = c('3.2.2: absolute-form says who is asked, whatever Host says', '3.2.2: absolute-form without a path')
const chunks = [...h('chunks of any case with extensions', 'trailers'), ...f('chunks, trailers and their hop are passed on in both directions')]
const noLengthTwice = [...h('Content-Length with Transfer-Encoding', 'a response with both lengths'), ...c('6.3: both lengths', '6.1: nothing behind one with two lengths is one')]
const closing = c('9.6: nothing behind Connection: close is a request')
const notAgain = u('a peer that says ${title} is not asked again on that connection')

export const rfc9112: readonly Requirement[] = [
  ['2.2', 'a message is read as bytes', h('bytes over 127 in values and targets', 'a name with a byte over 127')],
  ['2.2', 'no bare CR is written', strict],
  ['2.2', 'one that comes is refused, or becomes a space', [...strict, ...c('2.2: a bare CR')]],
  ['2.2', 'no line before or behind a request is written', ownHost],
  ['2.2', 'a line behind a body is part of it', userAgent],
  ['2.2', 'no white space is written before the first field', spaceFirst],
  ['2.2', 'a message that has some is refused', spaceFirst],
  ['2.3', 'an intermediary sends its own version', [...f('HTTP/1.0 is told to upgrade unless it is accepted'), ...c('2.3: a version that is none')]],
  ['3', 'a target that is too long is 414', unseen('not held: 431, as Envoy says it, since the limit is one for the whole head')],
  ['3.2', 'each request has a Host', ownHost],
  ['3.2', 'which is the authority of the target', [...ownHost, ...absolute]],
  ['3.2', 'or empty', unseen('a request without an authority is not made: one that comes so is refused')],
  ['3.2', 'no Host, two, or a bad one is 400', [...hostRules, ...f('${what}: ${status}, the connection ends, and nothing reaches the upstream')]],
  ['3.2.1', 'only path and query go to an origin server', c('3.2.1: origin-form', '3.2.2: absolute-form says who is asked, whatever Host says')],
  ['3.2.1', 'an empty path is sent as /', c('3.2.2: absolute-form without a path', '3.2.2: absolute-form with a query and no path')],
  ['3.2.2', 'absolute-form goes to a proxy', userAgent],
  ['3.2.2', 'Host is sent with it', hostRules],
  ['3.2.2', 'a proxy replaces Host by the host of the target', absolute],
  ['3.2.2', 'and makes a new one', absolute],
  ['3.2.2', 'an origin server ignores Host then', absolute],
  ['3.2.2', 'absolute-form is accepted', [...absolute, ...h('absolute-form'), ...f('an absolute target wins over Host')]],
  ['3.2.3', 'CONNECT names host and port only', [...h('authority-form', 'CONNECT to a path', 'CONNECT without a port'), ...c('${title} finds no route, and nothing is handed on')]],
  ['3.2.4', 'OPTIONS of the whole server has *', [...h('asterisk-form', 'an asterisk as target of GET'), ...c('${title} finds no route, and nothing is handed on')]],
  ['3.2.4', 'OPTIONS with an absolute target without a path becomes OPTIONS * at the last proxy', unseen('not held: it becomes / as Envoy makes it; * leads to no route')],
  ['4', 'a status line without a reason ends in a space', c('4: no reason phrase')],
  ['5.1', 'a space between name and colon of a request is 400', [...h('space before the colon', 'tab before the colon', 'a space before the colon of a trailer'), ...c('9.6: nothing behind a request that was refused is one')]],
  ['5.1', 'in a response it does not go on', [...h('space before the colon of a response'), ...c('5.1: a space before the colon')]],
  ['5.2', 'no folded field is written', h('obs-fold', 'obs-fold in a response')],
  ['5.2', 'in a request it is 400, or becomes spaces', [...h('obs-fold', 'obs-fold with a tab', 'a folded trailer'), ...f('${what}: ${status}, the connection ends, and nothing reaches the upstream')]],
  ['5.2', 'in a response it is 502, or becomes spaces', [...h('obs-fold in a response'), ...c('5.2: a folded field')]],
  ['5.2', 'a user agent makes it spaces', userAgent],
  ['6.1', 'chunked is understood', chunks],
  ['6.1', 'and not applied twice', h('two Transfer-Encoding fields', 'a response with Transfer-Encoding twice')],
  ['6.1', 'in a request it is the last coding', h('Transfer-Encoding ${JSON.stringify(coding)}')],
  ['6.1', 'in a response the last one, or the end is that of the connection', [...h('a response whose chunked is not last', 'Transfer-Encoding other than chunked in a response'), ...c('6.1: a coding that is not chunked')]],
  ['6.1', 'no Transfer-Encoding in 1xx and 204', [...h('Transfer-Encoding in 204', 'Transfer-Encoding in 1xx'), ...c('6.1: Transfer-Encoding in 204', '6.1: Transfer-Encoding in 1xx')]],
  ['6.1', 'nor in 2xx to CONNECT', h('Transfer-Encoding of 2xx to CONNECT means nothing')],
  ['6.1', 'none to who may not know HTTP/1.1', unseen('every upstream is one of HTTP/1.1 by configuration')],
  ['6.1', 'none in a response to HTTP/1.0', f('an accepted HTTP/1.0 client gets a body that ends with the connection, or a length and keep-alive')],
  ['6.1', 'after a request with both lengths the connection is closed', noLengthTwice],
  ['6.1', 'Transfer-Encoding in HTTP/1.0 is bad framing', [...h('Transfer-Encoding in HTTP/1.0', 'an HTTP/1.0 response with Transfer-Encoding'), ...c('6.1: Transfer-Encoding in HTTP/1.0')]],
  ['6.2', 'no Content-Length beside Transfer-Encoding is written', [...noLengthTwice, ...f('chunks, trailers and their hop are passed on in both directions')]],
  ['6.3', 'lengths of 2xx to CONNECT mean nothing', h('2xx to CONNECT ends HTTP', 'Transfer-Encoding of 2xx to CONNECT means nothing')],
  ['6.3', 'of both lengths only chunked goes on', noLengthTwice],
  ['6.3', 'a request whose last coding is not chunked is 400, and the connection ends', [...h('Transfer-Encoding ${JSON.stringify(coding)}'), ...f('${what}: ${status}, the connection ends, and nothing reaches the upstream')]],
  ['6.3', 'a bad Content-Length cannot be mended, or is a list of the same', h('Content-Length ${JSON.stringify(length)}', 'a list of equal Content-Lengths', 'two equal Content-Lengths', 'two different Content-Lengths')],
  ['6.3', 'in a request it is 400, and the connection ends', f('${what}: ${status}, the connection ends, and nothing reaches the upstream')],
  ['6.3', 'in a response it is 502, and the connection to the server ends', [...h('a response with Content-Length ${JSON.stringify(length)}', 'a response with two different Content-Lengths'), ...c('6.3: two different lengths', '6.3: a length that is none')]],
  ['6.3', 'a user agent throws it away', userAgent],
  ['6.3', 'a message that ends too soon is incomplete, and its connection ends', [...h('the end in a body', 'the end before the last chunk', 'the end in a response body'), ...c('8: a body that ends too soon', '8: chunks without the last one')]],
  ['6.3', 'a request with a body has a length or chunks', [...ownHost, ...c('6.3: a body of GET is a body', '6.3: so is one of DELETE in chunks')]],
  ['6.3', 'no chunks to who may not know them', unseen('every upstream is one of HTTP/1.1 by configuration')],
  ['6.3', 'what is behind a response is no response', c('6.3: more behind a body', '6.3: more behind the last chunk', '6.3: a body of 204', '6.3: a body of 304', '6.3: a body for HEAD', '9.2: an answer behind the answer')],
  ['7.1', 'chunked is read', chunks],
  ['7.1', 'large sizes do not overflow', h('chunk size ${JSON.stringify(size)}', 'chunk size ${JSON.stringify(size)} of a response', 'the largest chunk size that means anything')],
  ['7.1.1', 'unknown chunk extensions are passed over', [...h('a chunk extension that nobody knows', 'endless chunk extensions'), ...c('7.1.1: chunk extensions')]],
  ['7.1.2', 'trailers are kept apart from the header section', chunks],
  ['7.1.2', 'and not merged into it', h('Content-Length as a trailer', 'Transfer-Encoding as a trailer', 'Host as a trailer', 'Authorization as a trailer')],
  ['7.3', 'what a registration has', registry],
  ['7.3', 'names do not overlap', registry],
  ['7.3', 'new ones are reviewed', registry],
  ['7.4', 'chunked is not named in TE', userAgent],
  ['7.4', 'TE is named in Connection', f('chunks, trailers and their hop are passed on in both directions')],
  ['8', 'an incomplete response is known as such', c('8: a body that ends too soon', '8: chunks without the last one', '8: a head that ends too soon')],
  ['9.2', 'responses belong to requests in their order', f('pipelined requests are answered in order, one upstream request at a time')],
  ['9.2', 'what comes without a request is no response', [...u('bytes on an idle connection, or before the request was sent, are never taken for its answer'), ...c('9.2: an answer behind the answer')]],
  ['9.3', 'a client without persistent connections says close', unseen('ours are persistent')],
  ['9.3', 'a server without them says close', unseen('ours are persistent')],
  ['9.3', 'a server reads the whole request, or closes', f('an answer before the request is complete ends the connection, from upstream or our own')],
  ['9.3', 'a client reads the whole response before the next request', u('an answer before the request is done is handed on, and the connection is not used again')],
  ['9.3', 'no persistent connection with a client of HTTP/1.0', f('an accepted HTTP/1.0 client gets a body that ends with the connection, or a length and keep-alive')],
  ['9.3.2', 'pipelined requests are answered in their order', [...f('pipelined requests are answered in order, one upstream request at a time', 'pipelined requests that the proxy answers itself are answered in order too'), ...c('9.3.2: answers come in the order of the requests')]],
  ['9.3.2', 'a client does not pipeline again at once after a failure', unseen('we never pipeline: one request at a time on a connection')],
  ['9.6', 'after its close a client sends nothing more, and closes', notAgain],
  ['9.6', 'a server that is told close closes after the response', closing],
  ['9.6', 'and reads no further request', closing],
  ['9.6', 'a server that says close closes after the response', [...closing, ...c('9.6: nothing behind a request that was refused is one')]],
  ['9.6', 'and reads no further request', [...closing, ...c('7.1: nothing behind a broken chunk is one')]],
  ['9.6', 'a client that is told close sends no further request there', [...notAgain, ...c('9.6: close')]],
  ['9.7', 'over TLS everything is application data', unseen('a matter of OpenSSL alone')],
  ['9.8', 'a client says close_notify before it closes', unseen("node's TLS sockets do, when they are ended")],
  ['9.8', 'so does a server', unseen("node's TLS sockets do, when they are ended")],
  ['10.1', 'folded fields of message/http become spaces', messageHttp],
]
