package org.apache.iceberg.rest;

import java.net.InetSocketAddress;
import java.util.Map;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.catalog.Catalog;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;

/** Iceberg's reference REST catalog on loopback only: its own `main` listens on every interface. */
public final class LoopbackCatalog {
  public static void main(String[] arguments) throws Exception {
    Map<String, String> settings = RCKUtils.environmentCatalogConfig();
    Catalog catalog = CatalogUtil.buildIcebergCatalog("reference", settings, new org.apache.hadoop.conf.Configuration());
    var context = new RESTCatalogServer.CatalogContext(catalog, settings);
    var servlet = new RESTCatalogServlet(new RESTServerCatalogAdapter(context));
    var handler = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    handler.addServlet(new ServletHolder(servlet), "/*");
    var server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
    server.setHandler(handler);
    server.start();
    server.join();
  }
}
