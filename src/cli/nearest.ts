// How the command line says 'did you mean'.
import { nearest } from '../lib/nearest.ts'

/** `; did you mean --file?`, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const found = nearest(word, known)
  return found === undefined ? '' : `; did you mean ${found}?`
}
