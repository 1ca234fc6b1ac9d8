// The key that "Authorize" takes goes out in the header x-api-key, and is forgotten with the page.
SwaggerUIBundle({
  // Else each field to try out begins with its example: the hour of one call of last year, of a queue of somebody's.
  responseInterceptor(response) {
    for (const path of Object.values(response.obj?.paths ?? {})) {
      for (const parameter of path.get?.parameters ?? []) {
        delete parameter.example;
        delete parameter.schema.example;
      }
    }
    return response;
  },
  url: "../openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  tryItOutEnabled: true,
});
