"""What all views share: parameters, responses, errors and the OpenAPI document."""
