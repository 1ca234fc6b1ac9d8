// The key entered under "Authorize" is sent in the header x-api-key, and forgotten when the page is closed.

async function start() {
  const spec = await (await fetch("../openapi.json")).json();
  // Without this, Swagger UI prefills the fields with the examples: a time long ago, somebody else's queue.
  for (const path of Object.values(spec.paths)) {
    for (const parameter of path.get?.parameters ?? []) {
      delete parameter.example;
      delete parameter.schema.example;
    }
  }
  SwaggerUIBundle({ spec, dom_id: "#reference", deepLinking: true, persistAuthorization: false, validatorUrl: null,
    tryItOutEnabled: true });
}

start();
