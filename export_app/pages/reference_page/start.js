// The key that "Authorize" takes goes out in the header x-api-key, and is forgotten with the page.

async function start() {
  const spec = await (await fetch("../openapi.json")).json();
  // Each field to try out would begin with its example: a time of long ago, somebody else's queue.
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
