"""A service's traffic on the Gateway API: HTTPRoute and GRPCRoute in front of Envoy Gateway."""
