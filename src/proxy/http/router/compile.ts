// What a RouteConfiguration becomes: matchers that answer which route a request takes.

/** A compiled route table. Frozen; replaced whole when the configuration changes. */
export interface CompiledRoutes {
  /** RouteConfiguration.name. */
  readonly name: string
}
