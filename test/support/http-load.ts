// Requests without end over kept-alive connections, with node's own client: what fails is kept, to be held against zero.
import { Agent, get } from 'node:http'
import type { IncomingMessage, RequestOptions } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export function request(url: string, agent?: Agent, timeoutMs = 10_000): Promise<Answer> {
  return answerTo(url, { ...(agent === undefined ? {} : { agent }), timeout: timeoutMs })
}

/** As to an HTTP_PROXY. */
export function requestThrough({ host, port }: { readonly host: string; readonly port: number }, url: string): Promise<Answer> {
  return answerTo(`http://${host}:${port}`, { path: url, headers: { host: new URL(url).host }, timeout: 10_000 })
}

function answerTo(url: string, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = get(url, options, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.once('error', reject)
    })
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${options.timeout} ms`)))
    sent.once('error', reject)
  })
}

export class HttpLoad implements AsyncDisposable {
  readonly failures: string[] = []
  readonly #agent: Agent
  readonly #workers: Promise<void>[]
  readonly #onAnswer: (answer: Answer) => void
  #answered = 0
  #stopped = false

  /** Every connection pauses between two requests: load, not a race for the last core. */
  constructor(urls: readonly string[], { connections = 6, pauseMs = 4, keepAlive = true, onAnswer = () => {} }: { connections?: number; pauseMs?: number; keepAlive?: boolean; onAnswer?: (answer: Answer) => void } = {}) {
    this.#agent = new Agent({ keepAlive, maxSockets: connections })
    this.#onAnswer = onAnswer
    this.#workers = Array.from({ length: connections }, (_, i) => this.#work(urls[i % urls.length]!, pauseMs))
  }

  get answered(): number {
    return this.#answered
  }

  /** Resolves when that many more have been answered. */
  async more(count: number): Promise<void> {
    const goal = this.#answered + count
    const until = Date.now() + 20_000
    while (this.#answered < goal) {
      if (Date.now() > until) throw new Error(`${goal - this.#answered} of ${count} answers are missing; failures: ${this.failures.slice(0, 3).join('; ')}`)
      await pause(5)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#workers)
    this.#agent.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #work(url: string, pauseMs: number): Promise<void> {
    while (!this.#stopped) {
      try {
        const answer = await request(url, this.#agent)
        if (answer.status !== 200) this.failures.push(`${answer.status} ${answer.body.trim()}`)
        this.#answered++
        this.#onAnswer(answer)
      } catch (error) {
        this.failures.push(String(error))
      }
      await pause(pauseMs)
    }
  }
}
