// Bookinfo's details service: facts about the book.
import { json, serve } from './service.ts'

const details = {
  author: 'William Shakespeare', year: 1595, type: 'paperback', pages: 200, publisher: 'PublisherA', language: 'English',
  'ISBN-10': '1234567890', 'ISBN-13': '123-1234567890',
}

serve(({ url }) => {
  const id = /^\/details\/(\d+)$/.exec(url.pathname)?.[1]
  return id === undefined ? undefined : json(200, { id: Number(id), ...details })
})
