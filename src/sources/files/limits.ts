// How much of a file system a mesh is willing to look at.

export interface FileLimits {
  /** Larger than any configuration written by people; an exported cluster of some 2,000 Pods has about as much. */
  readonly maxFileBytes: number
  /** A folder given by mistake, such as a home directory, must not be read as a whole. */
  readonly maxFiles: number
  /** Folders within folders; stops symbolic links that lead around in circles too. */
  readonly maxDepth: number
}

export const defaultFileLimits: FileLimits = { maxFileBytes: 16 * 1024 * 1024, maxFiles: 10_000, maxDepth: 32 }

export interface FileOptions {
  /** For objects that name none. */
  readonly namespace: string
  /** What `-` stands for: the text of standard input. */
  readonly stdin: string | undefined
  readonly limits: FileLimits
}

export const defaultFileOptions: FileOptions = { namespace: 'default', stdin: undefined, limits: defaultFileLimits }

/** In megabytes, or bytes for small amounts. */
export const inWords = (bytes: number): string => (bytes >= 1024 * 1024 ? `${Math.round(bytes / 1024 / 1024)} MB` : `${bytes} bytes`)
